#include "probe/schedule.h"

#include "base/clock.h"
#include "base/mem.h"

/* uthash takes its memory where everybody does. */
#define uthash_malloc(size) mem_new(size)
#define uthash_free(memory, size) mem_free(memory)
#include <uthash.h>

enum { SPREAD_US = SECOND_US, FIRST_CAPACITY = 64 };

struct lane_key {
    uint32_t pod;
    uint32_t lane;
};

/* A ticker in full. While its probe is under way it is out of the heap, so a fleet that hangs costs nothing. */
struct entry {
    struct lane_key key;
    int64_t period;
    int64_t due;  /* the next tick; may lie in the past while a probe is under way: that is Go's one buffered tick */
    int64_t fire; /* when it is taken: due on the grid, or at once */
    size_t place; /* in the heap, from 1; 0: not in it */
    bool busy;
    bool triggered; /* schedule_now() came while busy */
    UT_hash_handle hh;
};

struct schedule {
    int64_t grid;
    struct entry *entries;
    struct entry **heap; /* heap[1] fires first */
    size_t count, capacity;
    /* Pods whose first ticks lie within a second of crowd_at, for spreading them. */
    int64_t crowd_at;
    uint32_t crowd_size, crowd_pod;
};

/* ---- heap ---- */

/* Ties go by due time, then by pod and lane, so that the same input always gives the same order. */
static bool fires_before(const struct entry *a, const struct entry *b)
{
    if (a->fire != b->fire)
        return a->fire < b->fire;
    if (a->due != b->due)
        return a->due < b->due;
    return a->key.pod != b->key.pod ? a->key.pod < b->key.pod : a->key.lane < b->key.lane;
}

static void heap_put(struct schedule *schedule, size_t place, struct entry *entry)
{
    schedule->heap[place] = entry;
    entry->place = place;
}

/* Moves the entry from `place`, where there is room for one, to where it belongs. */
static void heap_settle(struct schedule *schedule, size_t place, struct entry *entry)
{
    for (; place > 1 && fires_before(entry, schedule->heap[place / 2]); place /= 2)
        heap_put(schedule, place, schedule->heap[place / 2]);
    for (size_t child; (child = place * 2) <= schedule->count; place = child) {
        if (child < schedule->count && fires_before(schedule->heap[child + 1], schedule->heap[child]))
            child++;
        if (!fires_before(schedule->heap[child], entry))
            break;
        heap_put(schedule, place, schedule->heap[child]);
    }
    heap_put(schedule, place, entry);
}

static void heap_remove(struct schedule *schedule, struct entry *entry)
{
    size_t place = entry->place;
    if (place == 0)
        return;
    struct entry *last = schedule->heap[schedule->count--];
    if (last != entry)
        heap_settle(schedule, place, last);
    entry->place = 0;
}

/* Puts the entry where its fire time belongs, in the heap or not yet. */
static void heap_update(struct schedule *schedule, struct entry *entry)
{
    if (entry->place == 0) {
        if (schedule->count + 1 >= schedule->capacity) {
            schedule->capacity = schedule->capacity ? schedule->capacity * 2 : FIRST_CAPACITY;
            schedule->heap = mem_resize(schedule->heap, schedule->capacity, sizeof *schedule->heap);
        }
        entry->place = ++schedule->count;
    }
    heap_settle(schedule, entry->place, entry);
}

/* ---- tickers ---- */

static int64_t on_grid(const struct schedule *schedule, int64_t t)
{
    int64_t over = t % schedule->grid;
    if (over < 0)
        over += schedule->grid;
    return over == 0 ? t : t + (schedule->grid - over);
}

static struct entry *entry_find(const struct schedule *schedule, uint32_t pod, enum lane_kind lane)
{
    struct lane_key key = {.pod = pod, .lane = (uint32_t)lane};
    struct entry *entry = NULL;
    HASH_FIND(hh, schedule->entries, &key, sizeof key, entry);
    return entry;
}

/* How much later the first ticks of the n-th pod of a crowd come: 0, 1/2, 1/4, 3/4, 1/8, ... of the span, which is even for every size of a crowd. */
static int64_t crowd_offset(uint32_t n, int64_t span)
{
    int64_t offset = 0;
    for (int64_t part = span / 2; n > 0 && part > 0; n >>= 1, part /= 2)
        offset += n & 1 ? part : 0;
    return offset;
}

static int64_t first_due(struct schedule *schedule, uint32_t pod, int64_t period, int64_t first)
{
    if (schedule->crowd_size == 0 || first < schedule->crowd_at || first - schedule->crowd_at >= SPREAD_US) {
        schedule->crowd_at = first;
        schedule->crowd_size = 1;
    } else if (pod != schedule->crowd_pod) {
        schedule->crowd_size++;
    }
    schedule->crowd_pod = pod;
    return first + crowd_offset(schedule->crowd_size - 1, period < SPREAD_US ? period : SPREAD_US);
}

struct schedule *schedule_new(int64_t grid_us)
{
    struct schedule *schedule = mem_new(sizeof *schedule);
    schedule->grid = grid_us > 0 ? grid_us : 1;
    return schedule;
}

void schedule_free(struct schedule *schedule)
{
    struct entry *entry, *next;
    if (!schedule)
        return;
    HASH_ITER(hh, schedule->entries, entry, next)
    {
        HASH_DEL(schedule->entries, entry);
        mem_free(entry);
    }
    mem_free(schedule->heap);
    mem_free(schedule);
}

void schedule_set(struct schedule *schedule, uint32_t pod, enum lane_kind lane, int64_t period_us, int64_t first)
{
    struct entry *entry = entry_find(schedule, pod, lane);
    if (!entry) {
        entry = mem_new(sizeof *entry);
        entry->key = (struct lane_key){.pod = pod, .lane = (uint32_t)lane};
        entry->due = first_due(schedule, pod, period_us, first);
        HASH_ADD(hh, schedule->entries, key, sizeof entry->key, entry);
    } else if (entry->period == period_us) {
        return;
    } else {
        entry->due += period_us - entry->period; /* counted from the last tick */
    }
    entry->period = period_us;
    entry->fire = on_grid(schedule, entry->due);
    if (!entry->busy)
        heap_update(schedule, entry);
}

static void entry_delete(struct schedule *schedule, struct entry *entry)
{
    heap_remove(schedule, entry);
    HASH_DEL(schedule->entries, entry);
    mem_free(entry);
}

void schedule_remove(struct schedule *schedule, uint32_t pod, enum lane_kind lane)
{
    struct entry *entry = entry_find(schedule, pod, lane);
    if (entry)
        entry_delete(schedule, entry);
}

void schedule_remove_pod(struct schedule *schedule, uint32_t pod)
{
    for (int lane = 0; lane < LANE_COUNT; lane++)
        schedule_remove(schedule, pod, (enum lane_kind)lane);
}

bool schedule_take(struct schedule *schedule, int64_t now, struct ticker *out)
{
    struct entry *entry = schedule->count > 0 ? schedule->heap[1] : NULL;
    if (!entry || entry->fire > now)
        return false;
    *out = (struct ticker){
        .pod = entry->key.pod, .lane = (enum lane_kind)entry->key.lane, .due = entry->due, .fire = entry->fire};
    /* Ticks that passed unseen are dropped but for the one taken here; the phase stays. */
    entry->due += entry->period * (now > entry->due ? (now - entry->due) / entry->period + 1 : 1);
    entry->fire = on_grid(schedule, entry->due);
    heap_update(schedule, entry);
    return true;
}

void schedule_begun(struct schedule *schedule, uint32_t pod, enum lane_kind lane)
{
    struct entry *entry = entry_find(schedule, pod, lane);
    if (!entry)
        return;
    heap_remove(schedule, entry);
    entry->busy = true;
}

void schedule_ended(struct schedule *schedule, uint32_t pod, enum lane_kind lane, int64_t now)
{
    struct entry *entry = entry_find(schedule, pod, lane);
    if (!entry || !entry->busy)
        return;
    entry->busy = false;
    if (entry->triggered) {
        entry->triggered = false;
        entry->due = entry->fire = now;
    } else if (entry->due <= now) {
        entry->fire = now; /* missed while busy: at once, not on the grid */
    }
    heap_update(schedule, entry);
}

void schedule_now(struct schedule *schedule, uint32_t pod, enum lane_kind lane, int64_t now)
{
    struct entry *entry = entry_find(schedule, pod, lane);
    if (!entry)
        return;
    if (entry->busy) {
        entry->triggered = true;
        return;
    }
    entry->due = entry->fire = now;
    heap_update(schedule, entry);
}

int64_t schedule_next(const struct schedule *schedule)
{
    return schedule->count > 0 ? schedule->heap[1]->fire : INT64_MAX;
}

size_t schedule_count(const struct schedule *schedule)
{
    return HASH_COUNT(schedule->entries);
}
