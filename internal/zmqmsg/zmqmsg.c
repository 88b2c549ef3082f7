#include "zmqmsg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if ZMQ_VERSION < ZMQ_MAKE_VERSION(4, 3, 3)
#warning "zyre: libzmq before 4.3.3 can be crashed from the network, unless your distribution has mended it"
#endif

static void clear(zyre_batch *b) {
    for (int i = 0; i < b->count; i++) zmq_msg_close(&b->msg[i]);
    b->count = b->messages = b->told = 0;
}

// A HELLO of ZRE: two bytes of signature, and its id.
static int is_hello(const zyre_frame *f) {
    return f->size > 2 && ((const unsigned char *)f->data)[2] == 1;
}

static int same(const zyre_frame *a, const zyre_frame *b) {
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

// source returns the descriptor of the connection that brought the last frame of the batch, m; -1
// if it counts for that of the frame before. libzmq finds it by name and as a text, which takes as
// long as a small message. So it is not asked about small frames that follow others of their
// message, or of the same sender, in one batch. Such a sender may have connected again in between:
// what is taken for another connection's is less than zyre_batch_bytes. HELLO is often the first on
// a new connection.
static int source(zyre_batch *b, zmq_msg_t *m) {
    int last = b->count - 1, begins = b->inside == 1;
    const zyre_frame *f = &b->frame[last];
    if (f->size < zyre_asked_frame) {
        if (!begins && last) return -1;
        if (begins && b->told && !is_hello(f) && same(&b->frame[b->told - 1], &b->frame[last - 1]))
            return b->frame[b->told].source;
    }
    if (begins) b->told = last; // 0 if the routing id was in the batch before, which is gone
    return zmq_msg_get(m, ZMQ_SRCFD);
}

void zyre_fill(zyre_socket *soc, zyre_batch *b, int one, int users, int addresses) {
    size_t bytes = 0;
    clear(b);
    b->err = 0;
    while (b->count < zyre_batch_frames && bytes < zyre_batch_bytes && !(one && b->messages)) {
        zmq_msg_t *m = &b->msg[b->count];
        int size;
        zmq_msg_init(m);
        do size = zmq_msg_recv(m, soc, ZMQ_DONTWAIT);
        while (size < 0 && zmq_errno() == EINTR);
        if (size < 0) {
            b->err = zmq_errno();
            return;
        }
        zyre_frame *f = &b->frame[b->count++];
        f->data = zmq_msg_data(m);
        f->size = zmq_msg_size(m);
        f->more = zmq_msg_more(m);
        f->user = users && b->inside == 1 ? zmq_msg_gets(m, "User-Id") : NULL;
        f->address = b->inside == 1 && (addresses || is_hello(f)) ? zmq_msg_gets(m, "Peer-Address") : NULL;
        f->source = b->inside ? source(b, m) : -1;
        b->inside = f->more ? b->inside + 1 : 0;
        b->messages += !f->more;
        bytes += f->size;
    }
}

void zyre_free(zyre_batch *b) {
    clear(b);
    free(b);
}

// Sending hears of room that the I/O thread has made only about once a millisecond;
// asking hears of it at once.
static int writable(zyre_socket *soc) {
    int events;
    size_t size = sizeof events;
    return zmq_getsockopt(soc, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLOUT);
}

static int try_part(zyre_socket *soc, const char *data, size_t size, int flags) {
    int rc;
    do rc = zmq_send(soc, data, size, flags);
    while (rc < 0 && zmq_errno() == EINTR);
    return rc < 0 ? zmq_errno() : 0;
}

int zyre_part(zyre_socket *soc, const char *data, size_t size, int first, int more) {
    int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    int err = try_part(soc, data, size, flags);
    // Not in the middle of a message: it would begin a new one.
    if (err == EAGAIN && first && writable(soc)) err = try_part(soc, data, size, flags);
    return err;
}

int zyre_send(zyre_socket *soc, const char *header, size_t header_size, const char *frame,
              size_t size, int frames) {
    int err = zyre_part(soc, header, header_size, 1, frames);
    if (err || !frames) return err;
    return zyre_part(soc, frame, size, 0, 0);
}
