/* lock.h - a mutex that can't fail: it is initialized, no thread takes it twice, none ends with it.
 */

#ifndef WEIR_METRICS_LOCK_H
#define WEIR_METRICS_LOCK_H

#include <assert.h>
#include <pthread.h>

static inline void weir_lock(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_lock(mutex);
    assert(failed == 0);
    (void)failed;
}

static inline void weir_unlock(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_unlock(mutex);
    assert(failed == 0);
    (void)failed;
}

/* Nobody has it, and nobody will. */
static inline void weir_lock_deinit(pthread_mutex_t *mutex)
{
    const int failed = pthread_mutex_destroy(mutex);
    assert(failed == 0);
    (void)failed;
}

#endif
