/* Pieces of Prepare are bounded, whatever the scenario has, and name whom their ends need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/machine_message.h"
#include "master/prepare_piece.h"

#define HOSTS  9000u
#define FLOWS  20000u
#define AGENTS 3u /* the hosts are theirs in turn */

/* As long as a scenario may have it. */
static char long_name[64], long_host[254], long_mgmt[262], long_device[DEVICE_MAX];

struct fixture {
    struct master_options options;
    struct master_repeat repeat;
    struct plan_host plan_hosts[HOSTS];
    struct plan_flow plan_flows[FLOWS]; /* of agent 0 to one of the others */
    struct plan plan;
    struct master_agent agents[AGENTS];
    struct master_host hosts[HOSTS];
    struct master_flow flows[FLOWS];
    struct error_list problems;
    struct session session;
    struct prepare_piece *piece;
};

static void fill(char *text, size_t size)
{
    memset(text, 'x', size - 1);
}

static struct fixture *create(const char *scenario)
{
    struct fixture *f = calloc(1, sizeof *f);
    fill(long_name, sizeof long_name);
    fill(long_host, sizeof long_host);
    fill(long_mgmt, sizeof long_mgmt);
    fill(long_device, sizeof long_device);
    f->plan = (struct plan){.label = "",
                            .scenario_text = scenario,
                            .hosts = f->plan_hosts,
                            .host_count = HOSTS,
                            .flows = f->plan_flows,
                            .flow_count = FLOWS};
    for (uint32_t i = 0; i < HOSTS; i++) {
        f->plan_hosts[i] = (struct plan_host){.name = long_name,
                                              .mgmt = long_mgmt,
                                              .host = long_host,
                                              .bind = long_name,
                                              .device = long_device,
                                              .interfaces = "",
                                              .sample = true};
        f->hosts[i].agent = &f->agents[i % AGENTS];
    }
    for (uint32_t i = 0; i < FLOWS; i++) {
        const uint32_t src = i * AGENTS % HOSTS;
        f->plan_flows[i] =
            (struct plan_flow){.src = src, .dst = src + 1 + i % 2, .duration_ns = 1, .id = -1};
        for (int end = 0; end < 2; end++) {
            fill(f->flows[i].address[end], ADDRESS_MAX);
            fill(f->flows[i].bind[end], ADDRESS_MAX);
        }
    }
    for (uint32_t i = 0; i < AGENTS; i++)
        f->agents[i] = (struct master_agent){.session = &f->session,
                                             .mgmt = long_mgmt,
                                             .sampled = true,
                                             .info = {.hostname = long_host}};
    f->session = (struct session){.plan = &f->plan,
                                  .options = &f->options,
                                  .repeat = &f->repeat,
                                  .problems = &f->problems,
                                  .agents = f->agents,
                                  .agent_count = AGENTS,
                                  .hosts = f->hosts,
                                  .flows = f->flows};
    f->piece = prepare_piece_create(&f->session);
    return f;
}

static void destroy(struct fixture *f)
{
    prepare_piece_free(f->piece);
    for (size_t i = 0; i < f->session.run.warning_count; i++)
        free(f->session.run.warnings[i]);
    free(f->session.run.warnings);
    free(f);
}

static bool names(const uint32_t *places, size_t count, uint32_t place)
{
    for (size_t i = 0; i < count; i++)
        if (places[i] == place)
            return true;
    return false;
}

/* Of its first and last end: both hosts and their agents. */
static void check_named(const struct fixture *f, const Tcpflowgen__PrepareRequest *request)
{
    const size_t ends[] = {0, request->n_ends - 1};
    for (size_t i = 0; request->n_ends && i < 2; i++) {
        const struct plan_flow *flow = &f->plan_flows[request->ends[ends[i]]->flow];
        assert_true(names(request->host_places, request->n_host_places, flow->src));
        assert_true(names(request->host_places, request->n_host_places, flow->dst));
        assert_true(names(request->agent_places, request->n_agent_places, flow->dst % AGENTS));
    }
    assert_true(names(request->agent_places, request->n_agent_places, request->agent));
    assert_int_equal(request->n_hosts, request->n_host_places);
    assert_int_equal(request->n_agents, request->n_agent_places);
}

/* All that one agent is sent of one kind of ends, as many as it returns. */
static size_t send_all(struct fixture *f, struct master_agent *agent, enum flow_end end)
{
    const Tcpflowgen__PrepareRequest *request;
    size_t next = 0, sent = 0;
    while ((request = prepare_piece_next(f->piece, agent, end, &next))) {
        const size_t size = tcpflowgen__prepare_request__get_packed_size(request);
        assert_true(size <= PIECE_MAX);
        assert_true(request->n_hosts < HOSTS / AGENTS * 2); /* not all */
        assert_true(request->about ? !agent->prepared : agent->prepared);
        check_named(f, request);
        sent += request->n_ends;
        agent->prepared = true;
    }
    assert_int_equal(next, FLOWS);
    return sent;
}

static void test_many_flows(void **state)
{
    (void)state;
    struct fixture *f = create("{}");
    assert_int_equal(send_all(f, &f->agents[0], END_DST), 0); /* it is sampled: a piece without */
    assert_int_equal(send_all(f, &f->agents[1], END_DST), FLOWS / 2);
    assert_int_equal(send_all(f, &f->agents[2], END_DST), FLOWS / 2);
    assert_int_equal(send_all(f, &f->agents[0], END_SRC), FLOWS);
    destroy(f);
}

/* A scenario, warnings and settings that have no end are cut. */
static void test_much_text(void **state)
{
    (void)state;
    enum { TEXT = 5 << 20 };
    char *text = malloc(TEXT + 1);
    memset(text, 'x', TEXT);
    text[TEXT] = '\0';
    struct fixture *f = create(text);
    for (int i = 0; i < 20000; i++)
        run_info_add_warning(&f->session.run, long_host);
    Tcpflowgen__Setting setting = TCPFLOWGEN__SETTING__INIT, *settings[1000];
    setting.name = (char *)"a";
    setting.value = text;
    text[TEXT / 4] = '\0';
    for (int i = 0; i < 1000; i++)
        settings[i] = &setting;
    prepare_piece_free(f->piece);
    f->piece = prepare_piece_create(&f->session);
    assert_int_equal(settings_from_messages(&f->agents[1].info.about, settings, 1000), 0);
    assert_int_equal(send_all(f, &f->agents[1], END_DST), FLOWS / 2);
    machine_fini(&f->agents[1].info.about);
    destroy(f);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_flows),
        cmocka_unit_test(test_much_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
