#include "kube/pulse.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
    PACE_MS = 400,    /* between two requests */
    SILENT_MS = 450,  /* without an answer; with the pace, well within the shortest timeoutSeconds */
    SLOW = 3,         /* times as long as it took last, where that is more */
    SLOW_MOST = 3000, /* ms */
    GIVE_UP_MS = 5000,
    BODY_MAX = 16 << 10
};

struct pulse {
    struct api *api;
    uv_timer_t timer;
    void (*changed)(void *user, bool silent, const char *why);
    void *user;
    uint64_t ticket; /* of the request under way; 0: none */
    int64_t asked;   /* real µs, of the newest request */
    int64_t took;    /* real µs, of the newest answer */
    bool wanted;     /* somebody waits, and the pace does not allow a request yet */
    bool silent;
};

static void pulse_send(struct pulse *pulse);

static void arm(struct pulse *pulse, int64_t at);

static void silent_set(struct pulse *pulse, bool silent, const char *why)
{
    if (pulse->silent != silent) {
        pulse->silent = silent;
        pulse->changed(pulse->user, silent, why);
    }
}

static int64_t silent_at(const struct pulse *pulse)
{
    int64_t limit = SLOW * pulse->took, least = SILENT_MS * (int64_t)MILLISECOND_US,
            most = SLOW_MOST * (int64_t)MILLISECOND_US;
    return pulse->asked + (limit < least ? least : limit > most ? most : limit);
}

static int64_t next_at(const struct pulse *pulse)
{
    return pulse->asked + PACE_MS * (int64_t)MILLISECOND_US;
}

/* While it is silent it is asked again and again: nobody else may be waiting any more when it is back. */
static void on_answer(void *user, enum api_end end, const char *words, const char *body, size_t length)
{
    struct pulse *pulse = user;
    bool alive = end != API_UNREACHABLE && end != API_CUT; /* whatever else it says, it says something */
    (void)body;
    (void)length;
    pulse->ticket = 0;
    if (alive)
        pulse->took = clock_mono_us() - pulse->asked;
    silent_set(pulse, !alive, words);
    if (pulse->silent || pulse->wanted)
        arm(pulse, next_at(pulse));
    else
        uv_timer_stop(&pulse->timer);
}

static void on_timer(uv_timer_t *timer)
{
    struct pulse *pulse = timer->data;
    int64_t now = clock_mono_us(), give_up = pulse->asked + GIVE_UP_MS * (int64_t)MILLISECOND_US;
    if (pulse->ticket == 0) {
        pulse_send(pulse);
    } else if (now >= give_up) {
        api_cancel(pulse->api, pulse->ticket);
        pulse_send(pulse);
    } else if (now >= silent_at(pulse)) {
        arm(pulse, give_up);
        silent_set(pulse, true, "");
    } else {
        arm(pulse, silent_at(pulse));
    }
}

static void arm(struct pulse *pulse, int64_t at)
{
    int64_t left = at - clock_mono_us();
    uv_update_time(pulse->timer.loop);
    uv_timer_start(&pulse->timer, on_timer, left > 0 ? (uint64_t)((left + MILLISECOND_US - 1) / MILLISECOND_US) : 0, 0);
}

static void pulse_send(struct pulse *pulse)
{
    pulse->wanted = false;
    pulse->asked = clock_mono_us();
    pulse->ticket = api_get(pulse->api, "/version", BODY_MAX, on_answer, pulse);
    arm(pulse, silent_at(pulse));
}

void pulse_ask(struct pulse *pulse)
{
    if (pulse->wanted || pulse->silent)
        return;           /* it is being found out */
    pulse->wanted = true; /* what is under way was asked before: its answer says nothing about now */
    if (pulse->ticket == 0)
        arm(pulse, next_at(pulse)); /* in a later turn at the earliest */
}

bool pulse_is_silent(const struct pulse *pulse)
{
    return pulse->silent;
}

struct pulse *pulse_new(uv_loop_t *loop, struct api *api, void (*changed)(void *user, bool silent, const char *why),
                        void *user)
{
    struct pulse *pulse = mem_new(sizeof *pulse);
    *pulse = (struct pulse){.api = api, .changed = changed, .user = user, .asked = INT64_MIN / 2};
    uv_timer_init(loop, &pulse->timer);
    pulse->timer.data = pulse;
    return pulse;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void pulse_free(struct pulse *pulse)
{
    if (!pulse)
        return;
    if (pulse->ticket != 0)
        api_cancel(pulse->api, pulse->ticket);
    uv_close((uv_handle_t *)&pulse->timer, on_closed);
}
