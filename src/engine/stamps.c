#include "engine/stamps.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "engine/end.h"
#include "engine/worker.h"
#include "util/clock.h"

#define REPORTED     (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY)
#define WANTED       (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK)
#define CONTROL_SIZE 256
#define FRESH_NS     NS_PER_MS /* flows that begin together share a bracket */

static bool report_stamps(const struct end *end, int flags)
{
    return socket_set_int(end->fd, SOL_SOCKET, SO_TIMESTAMPING, flags) == 0;
}

void stamps_begin(struct end *end)
{
    struct clock_bracket *bracket = &end->worker->bracket;
    end->stamps.awaited = report_stamps(end, REPORTED);
    if (clock_now() - bracket->at_ns > FRESH_NS)
        *bracket = bracket_read();
    end->stamps.before = *bracket;
}

ssize_t stamps_send(const struct end *end, struct msghdr *message, int flags)
{
    const uint32_t wanted = WANTED;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof wanted)] = {0};
    if (end->stamps.awaited) {
        message->msg_control = control;
        message->msg_controllen = sizeof control;
        struct cmsghdr *head = CMSG_FIRSTHDR(message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SO_TIMESTAMPING;
        head->cmsg_len = CMSG_LEN(sizeof wanted);
        memcpy(CMSG_DATA(head), &wanted, sizeof wanted);
    }
    const ssize_t sent = sendmsg(end->fd, message, flags);
    message->msg_control = NULL;
    message->msg_controllen = 0;
    return sent;
}

/* A stamp between whose brackets the wall clock was stepped says nothing. */
static void set_time(struct end *end, enum end_time which, int64_t real_ns)
{
    const struct clock_bracket after = bracket_read();
    int64_t at_ns;
    if (bracket_latest(&end->stamps.before, &after, real_ns, &at_ns))
        end_set_time(end, which, at_ns);
}

static bool is_error(const struct cmsghdr *control)
{
    return (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) ||
           (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR);
}

/* What is sent again leaves again: the first time counts. */
static void take_stamp(struct end *end, const struct sock_extended_err *about, int64_t real_ns)
{
    if (!real_ns || about->ee_origin != SO_EE_ORIGIN_TIMESTAMPING)
        return;
    if (about->ee_info == SCM_TSTAMP_SND && !(end->report.times & 1u << T_FIRST_LEFT))
        set_time(end, T_FIRST_LEFT, real_ns);
    if (about->ee_info != SCM_TSTAMP_ACK)
        return;
    set_time(end, T_FIRST_ACKED, real_ns);
    end->stamps.awaited = !report_stamps(end, 0);
}

static bool take_one(struct end *end)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(end->fd, &message, MSG_DONTWAIT | MSG_ERRQUEUE) < 0)
        return false;
    int64_t real_ns = 0;
    struct sock_extended_err about = {0};
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
        struct scm_timestamping stamps;
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SO_TIMESTAMPING) {
            memcpy(&stamps, CMSG_DATA(at), sizeof stamps);
            real_ns = stamps.ts[0].tv_sec * NS_PER_S + stamps.ts[0].tv_nsec;
        } else if (is_error(at)) {
            memcpy(&about, CMSG_DATA(at), sizeof about);
        }
    }
    take_stamp(end, &about, real_ns);
    return true;
}

/* To the last one, also behind that of the acknowledgement: of a segment that was sent again there
 * are more, and the socket tells of an error as long as any is left. */
bool stamps_take(struct end *end)
{
    bool any = false;
    while (take_one(end))
        any = true;
    return any;
}
