# Thin: meson does the work, in build/.
BUILD ?= build
PROTOC ?= protoc

# The program alone: `ninja` and `meson test` build the unit tests, which takes as long again.
all: $(BUILD)/build.ninja python/messages_pb2.py
	ninja -C $(BUILD) src/tcp-flowgen
	ln -sfn $(BUILD)/src/tcp-flowgen tcp-flowgen

$(BUILD)/build.ninja:
	meson setup $(BUILD)

# The module that Python programs read result files with.
python/messages_pb2.py: proto/messages.proto
	$(PROTOC) --proto_path=proto --python_out=python messages.proto

check:
	scripts/check

install: all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) tcp-flowgen python/messages_pb2.py

.PHONY: all check install clean
