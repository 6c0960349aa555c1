/* What is read of an interface is what was set by ip(8) and ethtool(8), and what they show. */
#include "../engine/netns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/device.h"
#include "util/cleanup.h"

static int open_net(void **state)
{
    (void)state;
    netns_enter();
    return system("ip link add va type veth peer name vb && ip link set va mtu 1400 && "
                  "ip link set va txqueuelen 77 && ip link set va up && ip link set vb up && "
                  "tc qdisc add dev va root tbf rate 10mbit burst 20k limit 30k");
}

/* What the shell's command prints: a number. */
static long printed(const char *command)
{
    long number = -1;
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%ld", &number), 1);
    pclose(pipe);
    return number;
}

/* As ethtool(8) has it: 1 for on. */
static long feature(const char *name)
{
    char command[128];
    snprintf(command, sizeof command, "ethtool -k va | grep -c '^%s: on'; true", name);
    return printed(command);
}

static void assert_offloads_as_shown(const struct device *device)
{
    assert_int_equal(device->tso, feature("tcp-segmentation-offload"));
    assert_int_equal(device->gso, feature("generic-segmentation-offload"));
    assert_int_equal(device->gro, feature("generic-receive-offload"));
    assert_int_equal(device->lro, feature("large-receive-offload"));
    assert_int_equal(device->rx_checksum, feature("rx-checksumming"));
    assert_int_equal(device->tx_checksum, feature("tx-checksumming"));
    assert_int_equal(device->scatter_gather, feature("scatter-gather"));
}

static void an_interface_is_as_it_was_set(void **state)
{
    (void)state;
    struct device device;
    assert_int_equal(device_read("va", &device), 0);
    assert_string_equal(device.name, "va");
    assert_string_equal(device.driver, "veth");
    assert_string_equal(device.kind, "veth");
    assert_string_equal(device.qdisc, "tbf");
    assert_int_equal(device.mtu, 1400);
    assert_int_equal(device.tx_queue_length, 77);
    assert_int_equal(device.speed_mbit,
                     printed("ethtool va | sed -n 's/.*Speed: \\([0-9]*\\)Mb.*/\\1/p'"));
    assert_int_equal(device.full_duplex, printed("ethtool va | grep -c 'Duplex: Full'"));
    assert_int_equal(
        device.gso_max_size,
        printed("ip -d link show va | sed -n 's/.*gso_max_size \\([0-9]*\\).*/\\1/p'"));
    assert_int_equal(device.rx_ring, DEVICE_UNKNOWN); /* veth has none */
}

static void offloads_are_those_of_ethtool(void **state)
{
    (void)state;
    struct device device;
    assert_int_equal(device_read("va", &device), 0);
    assert_offloads_as_shown(&device);
    assert_int_equal(device.tso, 1);
    assert_int_equal(system("ethtool -K va tso off gso off gro on tx off 2>/dev/null >&2"), 0);
    assert_int_equal(device_read("va", &device), 0);
    assert_offloads_as_shown(&device);
    assert_int_equal(device.tso, 0);
    assert_int_equal(device.gro, 1);
}

static void an_ordinary_user_reads_the_same(void **state)
{
    (void)state;
    struct device root, user;
    int pipes[2], status;
    assert_int_equal(device_read("va", &root), 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(65534, 65534, 65534) || device_read("va", &user) ||
            write(pipes[1], &user, sizeof user) != sizeof user)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(pipes[0], &user, sizeof user), sizeof user);
    assert_memory_equal(&user, &root, sizeof user);
    close(pipes[0]);
    close(pipes[1]);
}

static void of_an_interface_that_is_none_nothing_is_known(void **state)
{
    (void)state;
    struct device device;
    assert_int_equal(device_read("nowhere", &device), -ENODEV);
    assert_string_equal(device.name, "nowhere");
    assert_string_equal(device.driver, "");
    assert_int_equal(device.mtu, DEVICE_UNKNOWN);
    assert_int_equal(device.tso, DEVICE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_interface_is_as_it_was_set, open_net),
        cmocka_unit_test_setup(offloads_are_those_of_ethtool, open_net),
        cmocka_unit_test_setup(an_ordinary_user_reads_the_same, open_net),
        cmocka_unit_test(of_an_interface_that_is_none_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
