/* A data port that is asked whether an agent of the run listens there. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/proof.h"
#include "engine/socket_options.h"
#include "rig.h"

#define ASKERS 300 /* more than there are places */

static struct rig *open_with_key(void)
{
    struct engine_options options = rig_options();
    options.has_flow_key = true;
    memset(options.flow_key, 'k', sizeof options.flow_key);
    return rig_open(&options);
}

static struct hmac *its_key(void)
{
    uint8_t bytes[FLOW_KEY_SIZE];
    memset(bytes, 'k', sizeof bytes);
    return hmac_new(bytes, sizeof bytes);
}

/* Connected; it waits for 10 s at most. */
static int visit(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval patience = {.tv_sec = 10};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const uint8_t *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static void assert_sent_away(int fd)
{
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(fd);
}

/* The answer, all of it, and nothing behind. */
static void assert_proved(int fd, const uint8_t question[PROOF_SIZE], uint16_t port)
{
    uint8_t answer[PROOF_SIZE + 1];
    struct hmac *key = its_key();
    assert_int_equal(recv(fd, answer, PROOF_SIZE, MSG_WAITALL), PROOF_SIZE);
    assert_true(proof_holds(key, question, port, answer));
    assert_int_equal(recv(fd, answer, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    hmac_free(key);
}

/* A flow's accepting end, which is asked before the other one is prepared. */
struct flow {
    struct rig *rig;
    struct end_spec src, dst;
    uint8_t question[PROOF_SIZE];
};

static struct flow accepting(struct rig *rig)
{
    struct flow flow = {.rig = rig, .src = rig_flow(0)};
    flow.dst = rig_peer_of(&flow.src);
    flow.src.peer_port = rig_prepare(rig, &flow.dst);
    return flow;
}

static int ask(uint16_t port, uint8_t question[PROOF_SIZE])
{
    const int fd = visit(port);
    proof_ask(question);
    say(fd, question, PROOF_SIZE);
    return fd;
}

/* Asked and proved. */
static int ask_and_hear(struct flow *flow)
{
    const int fd = ask(flow->src.peer_port, flow->question);
    assert_proved(fd, flow->question, flow->src.peer_port);
    return fd;
}

/* Which it does whatever came before. */
static void run_to_the_end(struct flow *flow)
{
    struct rig *rig = flow->rig;
    rig_prepare(rig, &flow->src);
    rig_start(rig, 20 * NS_PER_MS);
    rig_wait_reports(rig, 2);
    rig_close(rig);
    rig_check_complete(rig, rig, 0);
    rig_free(rig);
}

/* What begins like no question is a token, and nobody's. */
static void say_no_question(struct flow *flow)
{
    const int fd = visit(flow->src.peer_port);
    say(fd, flow->question, TOKEN_SIZE);
    assert_sent_away(fd);
    run_to_the_end(flow);
}

/* Also in pieces; a flow's own connection comes as ever. */
static void test_asked(void **state)
{
    (void)state;
    struct flow flow = accepting(open_with_key());
    socket_reset(ask_and_hear(&flow));
    const int fd = visit(flow.src.peer_port);
    for (size_t i = 0; i < PROOF_SIZE; i++) {
        say(fd, flow.question + i, 1);
        rig_sleep_ms(1);
    }
    assert_proved(fd, flow.question, flow.src.peer_port);
    socket_reset(fd);
    run_to_the_end(&flow);
}

/* Once, and who says more is sent away: also a token behind a question is none. */
static void test_no_more_than_that(void **state)
{
    (void)state;
    struct flow flow = accepting(open_with_key());
    int fd = ask_and_hear(&flow);
    say(fd, flow.question, 1);
    assert_sent_away(fd);
    fd = ask_and_hear(&flow);
    say(fd, flow.dst.token, TOKEN_SIZE);
    assert_sent_away(fd);
    run_to_the_end(&flow);
}

static void test_what_is_no_question(void **state)
{
    (void)state;
    struct flow flow = accepting(open_with_key());
    proof_ask(flow.question);
    flow.question[PROOF_MAGIC_SIZE - 1] ^= 1;
    say_no_question(&flow);
}

/* The earlier program's flows have none. */
static void test_without_a_key(void **state)
{
    (void)state;
    struct flow flow = accepting(rig_open(NULL));
    proof_ask(flow.question);
    say_no_question(&flow);
}

/* Who asks and stays takes a place as other strangers do, and the first of them have to go. */
static void test_many_that_stay(void **state)
{
    (void)state;
    struct flow flow = accepting(open_with_key());
    int fds[ASKERS];
    for (int i = 0; i < ASKERS; i++)
        fds[i] = ask_and_hear(&flow);
    assert_sent_away(fds[0]);
    run_to_the_end(&flow);
    for (int i = 1; i < ASKERS; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_no_more_than_that),
        cmocka_unit_test(test_what_is_no_question),
        cmocka_unit_test(test_without_a_key),
        cmocka_unit_test(test_many_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
