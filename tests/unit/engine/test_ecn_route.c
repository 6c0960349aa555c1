/* Marked routes, between two network namespaces of the test's own: what TCP_INFO says, that the
 * route is the usual one, and that nothing stays. */
#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ecn.h"
#include "engine/ecn_guardian.h"
#include "engine/ecn_route.h"
#include "util/cleanup.h"

#define PORT 7011

/* In its own namespace: accepts, reads what comes, answers each byte. */
static void serve(int ready)
{
    const int on = 1;
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    int listening = socket(AF_INET6, SOCK_STREAM, 0);
    if (setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(listening, (const struct sockaddr *)&any, sizeof any) || listen(listening, 16) ||
        write(ready, "", 1) != 1)
        _exit(1);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fork() == 0) {
            char byte;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (read(fd, &byte, 1) == 1)
                if (write(fd, &byte, 1) != 1)
                    _exit(1);
            _exit(0);
        }
        close(fd);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void shell(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* Whether the command prints something. */
static bool prints(const char *command)
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const bool something = fgetc(pipe) != EOF;
    while (fgetc(pipe) != EOF)
        ;
    pclose(pipe);
    return something;
}

static bool traces(void)
{
    return prints("ip rule list | grep fwmark; ip -6 rule list | grep fwmark; "
                  "ip route show table all | grep 'proto 236'; "
                  "ip -6 route show table all | grep 'proto 236'; true");
}

/* This process in one namespace, a server in the other, a cable between. */
static int open_net(void **state)
{
    static pid_t server;
    char command[256], byte;
    int gate[2], ready[2];
    netns_enter();
    assert_int_equal(pipe(gate), 0);
    assert_int_equal(pipe(ready), 0);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1 || read(gate[0], &byte, 1) != 1)
            _exit(1);
        if (system("ip address add 10.77.0.2/24 dev cable && "
                   "ip address add fd77::2/64 dev cable nodad && ip link set cable up && "
                   "ip link set lo up && ip address add 10.78.0.1/32 dev lo && "
                   "sysctl -qw net.ipv4.tcp_ecn=2"))
            _exit(1);
        serve(ready[1]);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(command, sizeof command,
             "ip link add name cable type veth peer name cable netns %d && "
             "ip address add 10.77.0.1/24 dev cable && "
             "ip address add fd77::1/64 dev cable nodad && ip link set cable up && "
             "sysctl -qw net.ipv4.tcp_ecn=2",
             (int)server);
    shell(command);
    assert_int_equal(write(gate[1], "", 1), 1);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(gate[0]);
    close(gate[1]);
    *state = &server;
    return 0;
}

static int close_net(void **state)
{
    const pid_t server = *(pid_t *)*state;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
}

struct peer {
    struct sockaddr_storage address;
    socklen_t size;
};

static struct peer peer_at(const char *text)
{
    struct peer peer = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&peer.address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&peer.address;
    in->sin_family = AF_INET;
    in->sin_port = htons(PORT);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        return peer;
    in6->sin6_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
    peer.size = sizeof *in6;
    return peer;
}

static int unconnected(const struct peer *peer)
{
    int fd = socket(peer->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    return fd;
}

static int prepare(struct ecn_setup *setup, const struct peer *peer, struct error *err)
{
    CLEANUP_CLOSE int fd = unconnected(peer);
    return ecn_prepare(setup, fd, (const struct sockaddr *)&peer->address, true, err);
}

static int opened(struct ecn *ecn, const struct peer *peer, bool want)
{
    int fd = unconnected(peer);
    struct pollfd established = {.fd = fd, .events = POLLOUT};
    if (ecn_connect(ecn, fd, (const struct sockaddr *)&peer->address, peer->size, want) != 0)
        assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(poll(&established, 1, 5000), 1);
    return fd;
}

static bool has_ecn(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
    return info.tcpi_options & TCPI_OPT_ECN;
}

static void check_alive(int fd)
{
    char byte = 'x';
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    assert_int_equal(write(fd, &byte, 1), 1);
    assert_int_equal(poll(&answer, 1, 5000), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
}

/* Nothing can be written to the sysctl, as in many containers. */
static void forbid_sysctl(void)
{
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
}

static void in_child(void (*body)(void))
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void flows_by_mark_alone(void)
{
    static const char *const peers[] = {"10.77.0.2", "fd77::2"};
    struct ecn_setup *setup;
    struct ecn *ecn;
    int fds[COUNT_OF(peers)];
    forbid_sysctl();
    assert_int_equal(ecn_can_connect(true, NULL), 0);
    assert_int_equal(ecn_setup_create(&setup, NULL, NULL), 0);
    assert_int_equal(ecn_create(&ecn, setup, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        const struct peer peer = peer_at(peers[i]);
        assert_int_equal(prepare(setup, &peer, NULL), 0);
        assert_int_equal(prepare(setup, &peer, NULL), 0);
        CLEANUP_CLOSE int before = opened(ecn, &peer, false);
        assert_false(has_ecn(before));
        fds[i] = opened(ecn, &peer, true);
        assert_true(has_ecn(fds[i]));
        CLEANUP_CLOSE int after = opened(ecn, &peer, false);
        assert_false(has_ecn(after));
        check_alive(fds[i]);
    }
    assert_true(traces());
    ecn_destroy(ecn);
    ecn_setup_destroy(setup);

    /* The flows do not need what is gone. */
    assert_false(traces());
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        check_alive(fds[i]);
        assert_true(has_ecn(fds[i]));
        close(fds[i]);
    }
}

static void test_flows_by_mark_alone(void **state)
{
    (void)state;
    in_child(flows_by_mark_alone);
}

static void refused_to_oneself(void)
{
    const struct peer self = peer_at("127.0.0.1");
    struct ecn_setup *setup;
    struct error err = {0};
    forbid_sysctl();
    assert_int_equal(ecn_setup_create(&setup, NULL, NULL), 0);
    assert_int_equal(prepare(setup, &self, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "to this peer"));
    assert_non_null(strstr(err.cure, "/proc/sys"));
    ecn_setup_destroy(setup);
    assert_false(traces());
}

static void test_refused_to_oneself(void **state)
{
    (void)state;
    in_child(refused_to_oneself);
}

/* To one of the server's addresses by way of another. */
static void test_the_usual_route(void **state)
{
    (void)state;
    const struct peer peer = peer_at("10.78.0.1");
    struct ecn_path path = {.peer = ip_from((const struct sockaddr *)&peer.address)};
    CLEANUP_CLOSE int token = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    shell("ip route add 10.78.0.0/24 via 10.77.0.2 dev cable mtu 1300 initcwnd 5 rto_min 77ms");
    assert_int_equal(ecn_route_check(&path), 0);
    const int owner = ecn_route_claim(token);
    assert_true(owner >= 0);
    assert_int_equal(ecn_route_add((unsigned)owner, &path), 0);
    assert_true(prints("ip route show table all 10.78.0.1/32 | grep 'via 10.77.0.2 dev cable' | "
                       "grep 'mtu 1300' | grep 'initcwnd 5' | grep 'rto_min lock 77ms' | "
                       "grep 'features ecn'"));

    /* Other local addresses may share a route; another interface has one of its own. */
    path.local = ip_from((const struct sockaddr *)&(struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a4d0001)});
    assert_int_equal(ecn_route_add((unsigned)owner, &path), 0);
    path.local = (struct ip){0};
    shell("ip link add other type veth peer name another && ip link set other up && "
          "ip link set another up && ip address add 10.79.0.1/24 dev other && "
          "ip route add 10.78.0.0/24 dev other metric 9");
    path.interface = if_nametoindex("other");
    assert_int_equal(ecn_route_add((unsigned)owner, &path), 0);
    assert_true(prints("ip route show table all 10.78.0.1/32 | grep 'dev other.*features ecn'"));
    ecn_route_clear((unsigned)owner);
    assert_false(traces());

    /* One that nobody can copy. */
    path.interface = 0;
    shell("ip route replace 10.78.0.0/24 nexthop via 10.77.0.2 nexthop via 10.77.0.3");
    assert_int_equal(ecn_route_check(&path), -EOPNOTSUPP);
    shell("ip route del 10.78.0.0/24; ip link del other");
}

static void leave_routes(void)
{
    const struct peer v4 = peer_at("10.77.0.2"), v6 = peer_at("fd77::2");
    struct ecn_setup *setup;
    assert_int_equal(ecn_setup_create(&setup, NULL, NULL), 0);
    assert_int_equal(prepare(setup, &v4, NULL), 0);
    assert_int_equal(prepare(setup, &v6, NULL), 0);
    _exit(0);
}

static void test_who_is_dead_is_cleared_up(void **state)
{
    (void)state;
    const struct peer peer = peer_at("10.77.0.2");
    struct ecn_setup *setup;
    struct ecn *ecn;
    char text[256];
    assert_false(ecn_repair(text, sizeof text));
    in_child(leave_routes);
    assert_true(traces());

    assert_true(ecn_repair(text, sizeof text));
    assert_non_null(strstr(text, "killed"));
    assert_false(traces());
    assert_false(ecn_repair(text, sizeof text));

    /* Who lives keeps what is his. */
    assert_int_equal(ecn_setup_create(&setup, NULL, NULL), 0);
    assert_int_equal(ecn_create(&ecn, setup, NULL), 0);
    assert_int_equal(prepare(setup, &peer, NULL), 0);
    in_child(leave_routes);
    assert_true(ecn_repair(text, sizeof text));
    CLEANUP_CLOSE int fd = opened(ecn, &peer, true);
    assert_true(has_ecn(fd));
    ecn_destroy(ecn);
    ecn_setup_destroy(setup);
    assert_false(traces());
}

/* Tables and marks that others use are let alone. */
static void test_others_rules(void **state)
{
    (void)state;
    CLEANUP_CLOSE int token = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP_CLOSE int second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    shell("ip rule add fwmark 0xe0 lookup main && ip rule add fwmark 0x1/0xf lookup main && "
          "ip -6 rule add from fd78::/64 lookup 60418");
    assert_int_equal(ecn_route_claim(token), 3);
    assert_int_equal(ecn_route_claim(second), 4);
    ecn_route_clear(0);
    assert_int_equal(ecn_route_sweep(), 0);
    shell("ip rule del fwmark 0xe0 lookup main && ip rule del fwmark 0x1/0xf lookup main && "
          "ip -6 rule del from fd78::/64 lookup 60418");
}

/* Without one nothing is changed. */
static void test_no_guardian_to_be_had(void **state)
{
    (void)state;
    const struct peer peer = peer_at("10.77.0.2"), self = peer_at("127.0.0.1");
    struct ecn_setup *setup;
    struct error err = {0};
    assert_int_equal(ecn_setup_create(&setup, "/nowhere/tcp-flowgen", NULL), 0);
    assert_int_equal(prepare(setup, &peer, &err), ERROR_SYSTEM);
    assert_non_null(strstr(err.what, "cannot start"));
    assert_int_equal(prepare(setup, &self, &err), ERROR_SYSTEM);
    assert_false(traces());
    ecn_setup_destroy(setup);
    ecn_setup_destroy(NULL);
}

static void without_rights(void)
{
    const struct peer peer = peer_at("10.77.0.2");
    struct ecn_setup *setup;
    struct error err = {0};
    char text[256];
    assert_int_equal(setuid(65534), 0);
    assert_int_equal(ecn_route_refused(), EPERM);
    assert_int_equal(ecn_setup_create(&setup, NULL, NULL), 0);
    assert_int_equal(prepare(setup, &peer, &err), ERROR_AGENT);
    assert_non_null(strstr(err.cure, "CAP_NET_ADMIN"));
    assert_false(ecn_repair(text, sizeof text));
    ecn_setup_destroy(setup);
}

static void test_without_rights(void **state)
{
    (void)state;
    in_child(without_rights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flows_by_mark_alone, open_net, close_net),
        cmocka_unit_test_setup_teardown(test_refused_to_oneself, open_net, close_net),
        cmocka_unit_test_setup_teardown(test_the_usual_route, open_net, close_net),
        cmocka_unit_test_setup_teardown(test_who_is_dead_is_cleared_up, open_net, close_net),
        cmocka_unit_test_setup_teardown(test_others_rules, open_net, close_net),
        cmocka_unit_test_setup_teardown(test_no_guardian_to_be_had, open_net, close_net),
        cmocka_unit_test_setup_teardown(test_without_rights, open_net, close_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
