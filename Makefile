# Thin: meson does the work, in build/.
BUILD ?= build
PROTOC ?= protoc
PREFIX ?= /usr/local

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

# Configures anew only where the prefix is another one: `sudo make install` leaves a build as it is.
install: $(BUILD)/build.ninja
	@meson introspect --buildoptions $(BUILD) | \
	    grep -qF '"name": "prefix", "value": "$(PREFIX)"' || \
	    meson configure $(BUILD) -Dprefix='$(PREFIX)'
	$(MAKE) all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) tcp-flowgen python/messages_pb2.py

.PHONY: all check install clean
