// bare measures what libzmq itself can do with the messages of zyre: a DEALER
// sends a header of six bytes and a payload, a ROUTER gets the routing id as well.
//
//   bare recv COUNT SIZE           listens, receives COUNT messages
//   bare send ENDPOINT COUNT SIZE  sends them
//   bare shout COUNT SIZE ENDPOINT…  sends COUNT messages to each of up to 64, from one buffer
//   bare echo COUNT                listens, answers COUNT messages on a connection back
//   bare ping ENDPOINT COUNT SIZE  sends COUNT messages, waiting for each answer
//
// What it finds it writes to standard output as JSON. No wait is longer than 20 s.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static const char header[6] = {(char)0xAA, (char)0xA1, 2, 2, 0, 0};
static void *ctx;

static void fail(const char *what) {
    printf("{\"err\":\"%s: %s\"}\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static int64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *open_socket(int type) {
    int hwm = 1000, timeout = 20000, linger = 2000;
    void *s = zmq_socket(ctx, type);
    if (!s) fail("socket");
    zmq_setsockopt(s, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt(s, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt(s, ZMQ_SNDTIMEO, &timeout, sizeof timeout);
    zmq_setsockopt(s, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof linger);
    return s;
}

static void *listen_at(char *endpoint, size_t size) {
    void *s = open_socket(ZMQ_ROUTER);
    const char *address = getenv("ZYRE_BENCH_ADDRESS");
    char any_port[64];
    snprintf(any_port, sizeof any_port, "tcp://%s:*", address ? address : "127.0.0.1");
    if (zmq_bind(s, any_port)) fail("bind");
    if (zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, endpoint, &size)) fail("endpoint");
    return s;
}

static void *dial(const char *endpoint) {
    char id[17] = {1};
    int64_t t = now(CLOCK_REALTIME);
    memcpy(id + 1, &t, sizeof t);
    void *s = open_socket(ZMQ_DEALER);
    zmq_setsockopt(s, ZMQ_ROUTING_ID, id, sizeof id);
    if (zmq_connect(s, endpoint)) fail("connect");
    return s;
}

static void send_message(void *s, const void *payload, size_t size) {
    if (zmq_send(s, header, sizeof header, ZMQ_SNDMORE) < 0) fail("send");
    if (zmq_send(s, payload, size, 0) < 0) fail("send");
}

// recv_message leaves the payload in msg.
static void recv_message(void *s, zmq_msg_t *msg) {
    for (int frame = 0; frame < 3; frame++) {
        zmq_msg_close(msg);
        zmq_msg_init(msg);
        if (zmq_msg_recv(msg, s, 0) < 0) fail("receive");
    }
}

// stay waits until standard input is closed.
static void stay(void) {
    while (getchar() != EOF)
        ;
}

static void receive(uint64_t count, size_t size) {
    char endpoint[256];
    void *s = listen_at(endpoint, sizeof endpoint);
    printf("{\"endpoint\":\"%s\"}\n", endpoint);
    fflush(stdout);
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    int64_t begin = 0, cpu = 0;
    uint64_t lost = 0;
    for (uint64_t i = 0; i < count; i++) {
        recv_message(s, &msg);
        if (i == 0) begin = now(CLOCK_REALTIME), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        uint64_t seq;
        memcpy(&seq, zmq_msg_data(&msg), sizeof seq);
        lost += seq != i || zmq_msg_size(&msg) != size;
    }
    printf("{\"count\":%llu,\"lost\":%llu,\"begin\":%lld,\"end\":%lld,\"cpu\":%g}\n",
           (unsigned long long)count, (unsigned long long)lost, (long long)begin,
           (long long)now(CLOCK_REALTIME), (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9);
    fflush(stdout);
    stay();
    zmq_msg_close(&msg);
    zmq_close(s);
}

static void send_all(const char *endpoint, uint64_t count, size_t size) {
    void *s = dial(endpoint);
    char *payload = calloc(1, size);
    int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(payload, &i, sizeof i);
        send_message(s, payload, size);
    }
    printf("{\"count\":%llu,\"cpu\":%g}\n", (unsigned long long)count,
           (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9);
    fflush(stdout);
    stay();
    free(payload);
    zmq_close(s);
}

static void shout(uint64_t count, size_t size, int members, char **endpoints) {
    void *s[64];
    for (int i = 0; i < members; i++) s[i] = dial(endpoints[i]);
    char *payload = calloc(1, size);
    int64_t begin = now(CLOCK_REALTIME), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t i = 0; i < count; i++) {
        memcpy(payload, &i, sizeof i);
        for (int j = 0; j < members; j++) send_message(s[j], payload, size);
    }
    printf("{\"count\":%llu,\"begin\":%lld,\"cpu\":%g}\n", (unsigned long long)count * members,
           (long long)begin, (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9);
    fflush(stdout);
    stay();
    free(payload);
    for (int i = 0; i < members; i++) zmq_close(s[i]);
}

// echo connects to the endpoint in the first message.
static void echo(uint64_t count) {
    char endpoint[256], back[256] = {0};
    void *in = listen_at(endpoint, sizeof endpoint);
    printf("{\"endpoint\":\"%s\"}\n", endpoint);
    fflush(stdout);
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    recv_message(in, &msg);
    if (zmq_msg_size(&msg) >= sizeof back) fail("endpoint");
    memcpy(back, zmq_msg_data(&msg), zmq_msg_size(&msg));
    void *out = dial(back);
    send_message(out, back, strlen(back));
    for (uint64_t i = 0; i < count; i++) {
        recv_message(in, &msg);
        send_message(out, zmq_msg_data(&msg), zmq_msg_size(&msg));
    }
    stay();
    zmq_msg_close(&msg);
    zmq_close(out);
    zmq_close(in);
}

static void ping(const char *endpoint, uint64_t count, size_t size) {
    char own[256];
    void *in = listen_at(own, sizeof own);
    void *out = dial(endpoint);
    send_message(out, own, strlen(own));
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    recv_message(in, &msg);
    char *payload = calloc(1, size);
    double *micros = calloc(count, sizeof *micros);
    uint64_t lost = 0;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(payload, &i, sizeof i);
        int64_t begin = now(CLOCK_MONOTONIC);
        send_message(out, payload, size);
        recv_message(in, &msg);
        micros[i] = (now(CLOCK_MONOTONIC) - begin) / 1e3;
        lost += memcmp(zmq_msg_data(&msg), &i, sizeof i) != 0;
    }
    printf("{\"lost\":%llu,\"micros\":[", (unsigned long long)lost);
    for (uint64_t i = 0; i < count; i++) printf("%s%.3f", i ? "," : "", micros[i]);
    printf("]}\n");
    fflush(stdout);
    stay();
    free(payload);
    free(micros);
    zmq_msg_close(&msg);
    zmq_close(out);
    zmq_close(in);
}

int main(int argc, char **argv) {
    ctx = zmq_ctx_new();
    if (argc == 4 && !strcmp(argv[1], "recv"))
        receive(strtoull(argv[2], 0, 10), strtoull(argv[3], 0, 10));
    else if (argc == 5 && !strcmp(argv[1], "send"))
        send_all(argv[2], strtoull(argv[3], 0, 10), strtoull(argv[4], 0, 10));
    else if (argc > 4 && argc <= 4 + 64 && !strcmp(argv[1], "shout"))
        shout(strtoull(argv[2], 0, 10), strtoull(argv[3], 0, 10), argc - 4, argv + 4);
    else if (argc == 3 && !strcmp(argv[1], "echo"))
        echo(strtoull(argv[2], 0, 10));
    else if (argc == 5 && !strcmp(argv[1], "ping"))
        ping(argv[2], strtoull(argv[3], 0, 10), strtoull(argv[4], 0, 10));
    else {
        fprintf(stderr, "usage: bare recv|send|shout|echo|ping ...\n");
        return 2;
    }
    zmq_ctx_term(ctx);
    return 0;
}
