/* The kernel's stamps of a flow's first byte, over a loopback of the test's own with a queue.
 */
#include "netns.h"

#include "rig.h"

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* The acknowledgement stands in the queue behind data, and the first segment, sent again meanwhile,
 * behind the acknowledgement: its second leaving is stamped last.  The flow minds no stamp that
 * lies behind the acknowledgement's. */
static void test_first_segment_leaves_again_behind_its_acknowledgement(void **state)
{
    (void)state;
    netns_enter();
    run("ip link set lo mtu 1500");
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 2 * NS_PER_S;
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    run("tc qdisc add dev lo root tbf rate 100kbit burst 2k limit 100k");
    rig_start(rig, 20 * NS_PER_MS);
    rig_sleep_ms(2000);
    run("tc qdisc delete dev lo root");
    rig_wait_reports(rig, 2);
    rig_close(rig);
    rig_check_complete(rig, rig, 0);
    const int64_t *at = rig_report(rig, 0, END_SRC)->at;
    assert_true(at[T_FIRST_LEFT] - at[T_FIRST_BYTE] < 200 * NS_PER_MS); /* the least time-out */
    assert_true(at[T_FIRST_ACKED] - at[T_FIRST_BYTE] > 200 * NS_PER_MS);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_segment_leaves_again_behind_its_acknowledgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
