# Thin: meson does the work, in build/.
BUILD ?= build
PROTOC ?= protoc

all: $(BUILD)/build.ninja python/messages_pb2.py
	ninja -C $(BUILD)
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
