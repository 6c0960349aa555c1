/* What is read from the cache is what ip(8) shows, and forgetting empties it for the peers only. */
#include "../engine/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/tcp_metrics.h"
#include "util/cleanup.h"

#define PORT 7021

static void *drain(void *listening)
{
    char block[65536];
    int fd = accept(*(int *)listening, NULL, NULL);
    while (read(fd, block, sizeof block) > 0)
        ;
    close(fd);
    return NULL;
}

static struct sockaddr_in6 address(const char *text, uint16_t port)
{
    struct sockaddr_in6 out = {0};
    struct sockaddr_in *in = (void *)&out;
    out.sin6_port = htons(port); /* at the same place in both */
    if (inet_pton(AF_INET6, text, &out.sin6_addr) == 1) {
        out.sin6_family = AF_INET6;
    } else {
        in->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
    }
    return out;
}

static struct ip ip(const char *text)
{
    struct sockaddr_in6 in6 = address(text, 0);
    return ip_from((struct sockaddr *)&in6);
}

/* Some megabytes from one address of lo to another. */
static void transfer(const char *from, const char *to)
{
    static const char block[65536];
    const int on = 1;
    struct sockaddr_in6 here = address(from, 0), there = address(to, PORT);
    CLEANUP_CLOSE int listening = socket(there.sin6_family, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&there, sizeof there), 0);
    assert_int_equal(listen(listening, 1), 0);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, drain, &listening), 0);
    int fd = socket(there.sin6_family, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof there), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
    close(fd);
    pthread_join(reader, NULL);
}

/* A namespace that remembers thresholds, with losses on the way to 10.9.0.2. */
static int open_net(void **state)
{
    (void)state;
    netns_enter();
    return system("ip address add 10.9.0.1/32 dev lo && ip address add 10.9.0.2/32 dev lo && "
                  "ip address add fd09::1/128 dev lo nodad && "
                  "sysctl -qw net.ipv4.tcp_no_ssthresh_metrics_save=0 && nft '"
                  "add table ip t; add chain ip t in { type filter hook input priority 0; }; "
                  "add rule ip t in ip daddr 10.9.0.2 tcp dport 7021 numgen inc mod 40 == 7 drop'");
}

/* What ip(8) says of the peer behind the word, 0 where it does not. */
static double shown(const char *peer, const char *word)
{
    char command[128], line[512], key[32];
    snprintf(command, sizeof command, "ip tcp_metrics show %s 2>/dev/null", peer);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    if (!fgets(line, sizeof line, pipe))
        line[0] = '\0';
    pclose(pipe);
    snprintf(key, sizeof key, " %s ", word);
    const char *found = strstr(line, key);
    return found ? strtod(found + strlen(key), NULL) : 0;
}

static void assert_as_shown(const struct tcp_metrics *entry, const char *peer)
{
    assert_int_equal(entry->ssthresh, shown(peer, "ssthresh"));
    assert_int_equal(entry->cwnd, shown(peer, "cwnd"));
    assert_int_equal(entry->reordering, shown(peer, "reordering"));
    assert_int_equal(entry->rtt_us, shown(peer, "rtt"));
    assert_int_equal(entry->rttvar_us, shown(peer, "rttvar"));
    assert_true(entry->age_ms >= 0);
    assert_true((double)entry->age_ms / 1e3 <= shown(peer, "age"));
}

static void metrics_are_those_of_ip(void **state)
{
    (void)state;
    const struct ip peers[] = {ip("10.9.0.2"), ip("10.9.0.77"), ip("fd09::1")};
    const struct ip here = ip("10.9.0.1");
    struct tcp_metrics entries[8];
    assert_int_equal(tcp_metrics_read(peers, COUNT_OF(peers), entries, COUNT_OF(entries)), 0);

    transfer("10.9.0.1", "10.9.0.2");
    transfer("fd09::1", "fd09::1");
    int count = tcp_metrics_read(peers, 1, entries, COUNT_OF(entries));
    assert_int_equal(count, 1);
    assert_as_shown(&entries[0], "10.9.0.2");
    assert_true(entries[0].ssthresh > 0); /* the losses */
    assert_true(entries[0].rtt_us > 0);
    assert_memory_equal(entries[0].local.bytes, here.bytes, 4);
    assert_true(tcp_metrics_matter(&entries[0], 3, true));

    assert_int_equal(tcp_metrics_read(peers + 2, 1, entries, COUNT_OF(entries)), 1);
    assert_as_shown(&entries[0], "fd09::1");
    assert_int_equal(tcp_metrics_read(peers, COUNT_OF(peers), entries, 1), 2); /* room for one */
}

static void forgetting_is_for_the_peers_only(void **state)
{
    (void)state;
    const struct ip peers[] = {ip("10.9.0.77"), ip("10.9.0.2")}; /* the first has no entry */
    const struct ip other = ip("fd09::1");
    struct tcp_metrics entry;
    transfer("10.9.0.1", "10.9.0.2");
    transfer("fd09::1", "fd09::1");
    assert_int_equal(tcp_metrics_may_forget(), 0);
    assert_true(shown("10.9.0.2", "rtt") > 0);
    assert_int_equal(tcp_metrics_forget(peers, COUNT_OF(peers)), 0);
    assert_true(shown("10.9.0.2", "rtt") == 0);
    assert_int_equal(tcp_metrics_read(peers, COUNT_OF(peers), &entry, 1), 0);
    assert_int_equal(tcp_metrics_read(&other, 1, &entry, 1), 1);
}

static void an_ordinary_user_reads_and_may_not_forget(void **state)
{
    (void)state;
    const struct ip peer = ip("10.9.0.2");
    transfer("10.9.0.1", "10.9.0.2");
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct tcp_metrics entry;
        if (setresuid(65534, 65534, 65534))
            _exit(1);
        if (tcp_metrics_read(&peer, 1, &entry, 1) != 1)
            _exit(2);
        if (tcp_metrics_may_forget() != -EPERM || tcp_metrics_forget(&peer, 1) != -EPERM)
            _exit(3);
        _exit(tcp_metrics_read(&peer, 1, &entry, 1) == 1 ? 0 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void peers_are_found_among_thousands(void **state)
{
    (void)state;
    static struct ip peers[4001];
    struct tcp_metrics entry;
    char text[32];
    transfer("10.9.0.1", "10.9.0.2");
    for (size_t i = 0; i < 4000; i++) { /* the other way round */
        snprintf(text, sizeof text, "10.%zu.%zu.%zu", 9 - i % 2, 40 - i / 100, 101 - i % 100);
        peers[i] = ip(text);
    }
    peers[4000] = ip("fd09::2");
    qsort(peers, COUNT_OF(peers), sizeof *peers, tcp_metrics_order);
    for (size_t i = 1; i < COUNT_OF(peers); i++)
        assert_true(tcp_metrics_order(&peers[i - 1], &peers[i]) < 0);
    assert_int_equal(tcp_metrics_read(peers, COUNT_OF(peers), &entry, 1), 0);
    peers[0] = ip("10.9.0.2");
    peers[0].interface = 7; /* is of no concern */
    qsort(peers, COUNT_OF(peers), sizeof *peers, tcp_metrics_order);
    assert_int_equal(tcp_metrics_read(peers, COUNT_OF(peers), &entry, 1), 1);
    assert_as_shown(&entry, "10.9.0.2");
}

static void what_matters_is_the_threshold_and_reordering(void **state)
{
    (void)state;
    struct tcp_metrics entry = {.age_ms = 10, .rtt_us = 50000, .cwnd = 10};
    assert_false(tcp_metrics_matter(&entry, 3, true));
    entry.ssthresh = 20;
    assert_true(tcp_metrics_matter(&entry, 3, true));
    assert_false(tcp_metrics_matter(&entry, 3, false));
    entry.reordering = 3;
    assert_false(tcp_metrics_matter(&entry, 3, false));
    entry.reordering = 35;
    assert_true(tcp_metrics_matter(&entry, 3, false));
    entry.age_ms = TCP_METRICS_STALE_MS + 1;
    assert_false(tcp_metrics_matter(&entry, 3, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(metrics_are_those_of_ip, open_net),
        cmocka_unit_test_setup(forgetting_is_for_the_peers_only, open_net),
        cmocka_unit_test_setup(an_ordinary_user_reads_and_may_not_forget, open_net),
        cmocka_unit_test_setup(peers_are_found_among_thousands, open_net),
        cmocka_unit_test(what_matters_is_the_threshold_and_reordering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
