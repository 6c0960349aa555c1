/* Messages into gRPC's buffers and back, and what both sides say about the connection. */
#include "rpc/rpc_internal.h"

#include <assert.h>
#include <stdlib.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

#include "format/unpack.h"

#define KEEPALIVE_MS         10000
#define KEEPALIVE_TIMEOUT_MS 5000
/* Bytes of heap that a message of so many bytes may take: ends of flows take six times theirs. */
#define UNPACKED_MAX(size) (((size_t)4 << 20) + 4 * (size))

void rpc_submit(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    /* Refused only if the batch itself is nonsense: a bug of ours, not of the wire. */
    if (grpc_call_start_batch(call, ops, count, tag, NULL) != GRPC_CALL_OK)
        abort();
}

grpc_byte_buffer *rpc_encode(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return bytes;
}

ProtobufCMessage *rpc_decode(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *bytes)
{
    ProtobufCMessage *message = NULL;
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, bytes)) {
        grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
        message = unpack_message(type, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice),
                                 UNPACKED_MAX(GRPC_SLICE_LENGTH(slice)));
        grpc_slice_unref(slice);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(bytes);
    return message;
}

void rpc_args_add(struct rpc_args *args, const char *key, int value)
{
    assert(args->args.num_args < RPC_ARGS_MAX);
    args->items[args->args.num_args++] =
        (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

void rpc_args_add_pointer(struct rpc_args *args, const char *key, void *value,
                          const grpc_arg_pointer_vtable *vtable)
{
    assert(args->args.num_args < RPC_ARGS_MAX);
    args->items[args->args.num_args++] =
        (grpc_arg){.type = GRPC_ARG_POINTER, .key = (char *)key, .value.pointer = {value, vtable}};
}

void rpc_args_init(struct rpc_args *args)
{
    args->args = (grpc_channel_args){.args = args->items};
    rpc_args_add(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_MESSAGE_MAX);
    rpc_args_add(args, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, RPC_MESSAGE_MAX);
    /* gRPC looks at a message's size when it has unpacked it: 300 kB can become 300 MB.  Nobody
     * here compresses; what is compressed cannot be decoded. */
    rpc_args_add(args, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    rpc_args_add(args, GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS);
    rpc_args_add(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS);
    rpc_args_add(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    rpc_args_add(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* no limit */
}
