#include "kube/pulse.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
    SLOW = 3,         /* times as long as it took last, where that is more */
    SLOW_MOST = 3000, /* ms */
    GIVE_UP_MS = 5000,
    BODY_MAX = 16 << 10
};

struct pulse {
    struct pulse_options options;
    char *path; /* NULL: nothing was asked yet */
    uv_timer_t timer;
    uint64_t ticket;  /* of the request under way; 0: none */
    int64_t asked;    /* real µs, of the newest request */
    int64_t answered; /* when that was asked which was answered last */
    int64_t took;     /* real µs, of the newest answer */
    bool wanted;      /* somebody waits, and the pace does not allow a request yet */
    bool silent;
    int64_t back; /* real µs: when a silence was last found to be over */
};

static void pulse_send(struct pulse *pulse);

static void arm(struct pulse *pulse, int64_t at);

static void silent_set(struct pulse *pulse, bool silent, const char *why)
{
    if (pulse->silent != silent) {
        pulse->silent = silent;
        pulse->back = silent ? pulse->back : clock_mono_us();
        pulse->options.changed(pulse->options.user, silent, why);
    }
}

static int64_t silent_at(const struct pulse *pulse)
{
    int64_t limit = SLOW * pulse->took, least = pulse->options.silent_ms * (int64_t)MILLISECOND_US,
            most = SLOW_MOST * (int64_t)MILLISECOND_US;
    return pulse->asked + (limit < least ? least : limit > most ? most : limit);
}

static int64_t next_at(const struct pulse *pulse)
{
    return pulse->asked + pulse->options.pace_ms * (int64_t)MILLISECOND_US;
}

static void on_answer(void *user, enum api_end end, const char *words, const char *body, size_t length)
{
    struct pulse *pulse = user;
    bool alive = pulse->options.is_alive(end, words);
    (void)body;
    (void)length;
    pulse->ticket = 0;
    if (alive) {
        pulse->took = clock_mono_us() - pulse->asked;
        pulse->answered = pulse->asked;
    }
    silent_set(pulse, !alive, words);
    if (pulse->silent || pulse->wanted)
        arm(pulse, next_at(pulse));
    else
        uv_timer_stop(&pulse->timer);
    if (pulse->options.answered != NULL)
        pulse->options.answered(pulse->options.user);
}

static void on_timer(uv_timer_t *timer)
{
    struct pulse *pulse = timer->data;
    int64_t now = clock_mono_us(), give_up = pulse->asked + GIVE_UP_MS * (int64_t)MILLISECOND_US;
    if (pulse->ticket == 0) {
        pulse_send(pulse);
    } else if (now >= give_up) {
        api_cancel(pulse->options.api, pulse->ticket);
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
    pulse->ticket = api_get(pulse->options.api, pulse->path, BODY_MAX, on_answer, pulse);
    arm(pulse, silent_at(pulse));
}

bool pulse_was_silent(const struct pulse *pulse, int64_t since)
{
    return pulse->silent || pulse->back >= since;
}

enum pulse_word pulse_ask(struct pulse *pulse, const char *path, int64_t since)
{
    bool under_way = pulse->ticket != 0 && pulse->asked >= since;
    if (pulse_was_silent(pulse, since))
        return PULSE_SILENT;
    if (pulse->answered >= since)
        return PULSE_ANSWERS;
    if (pulse->wanted || under_way)
        return PULSE_UNKNOWN;
    mem_replace(&pulse->path, path);
    pulse->wanted = true;
    if (pulse->ticket == 0)
        arm(pulse, next_at(pulse)); /* in a later turn at the earliest */
    return PULSE_UNKNOWN;
}

struct pulse *pulse_new(const struct pulse_options *options)
{
    struct pulse *pulse = mem_new(sizeof *pulse);
    *pulse = (struct pulse){.options = *options, .asked = INT64_MIN / 2, .answered = INT64_MIN, .back = INT64_MIN};
    uv_timer_init(options->loop, &pulse->timer);
    pulse->timer.data = pulse;
    return pulse;
}

static void on_closed(uv_handle_t *handle)
{
    struct pulse *pulse = handle->data;
    mem_free(pulse->path);
    mem_free(pulse);
}

void pulse_free(struct pulse *pulse)
{
    if (!pulse)
        return;
    if (pulse->ticket != 0)
        api_cancel(pulse->options.api, pulse->ticket);
    uv_close((uv_handle_t *)&pulse->timer, on_closed);
}
