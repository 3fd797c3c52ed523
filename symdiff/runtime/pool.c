/* Memory of large results, used again: what the system gives anew costs as long as to compute it.

   A block belongs to one array, which owns it as any other, and comes back when that is freed. */

enum { POOLED = 1 << 20, HUGE = 2 << 20, BLOCKS = 64 };    /* bytes, bytes of a large page, blocks */
static const size_t POOL_LIMIT = (size_t)256 << 20;

typedef struct { void *memory; size_t size; } Block;
static Block pool[BLOCKS];                                 /* free ones, the oldest first */
static int pool_count;
static size_t pool_size;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static PyObject *pool_handler;

/* A free block, taken out of the pool; the lock is held. */
static void *pool_take(int place)
{
    void *memory = pool[place].memory;
    pool_size -= pool[place].size;
    pool_count--;
    memmove(&pool[place], &pool[place + 1], (size_t)(pool_count - place) * sizeof(Block));
    return memory;
}

static void *pool_malloc(void *context, size_t size)
{
    void *memory = NULL;
    pthread_mutex_lock(&pool_lock);
    for (int i = pool_count - 1; i >= 0 && memory == NULL; i--)   /* the warmest one */
        if (pool[i].size == size)
            memory = pool_take(i);
    pthread_mutex_unlock(&pool_lock);
    if (memory != NULL)
        return memory;
    const int large = size >= 2 * HUGE;
    if (posix_memalign(&memory, large ? HUGE : 64, size))
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (large)
        madvise(memory, size / HUGE * HUGE, MADV_HUGEPAGE);
#endif
    return memory;
}

static void *pool_calloc(void *context, size_t count, size_t size)
{
    return calloc(count, size);
}

static void *pool_realloc(void *context, void *memory, size_t size)
{
    return realloc(memory, size);
}

static void pool_free(void *context, void *memory, size_t size)
{
    void *old[BLOCKS + 1];
    int count = 0;
    pthread_mutex_lock(&pool_lock);
    const int kept = size >= POOLED && size <= POOL_LIMIT;
    while (kept && (pool_count == BLOCKS || pool_size + size > POOL_LIMIT))
        old[count++] = pool_take(0);
    if (kept) {
        pool[pool_count++] = (Block){memory, size};
        pool_size += size;
    } else {
        old[count++] = memory;
    }
    pthread_mutex_unlock(&pool_lock);
    while (count)
        free(old[--count]);
}

static PyDataMem_Handler pool_functions = {
    "symdiff", 1, {NULL, pool_malloc, pool_calloc, pool_realloc, pool_free}};

static PyObject *result_array(const Leaf *leaf)
{
    if (leaf->bytes < POOLED)
        return PyArray_EMPTY(leaf->ndim, leaf->dims, leaf->type, 0);
    PyObject *usual = PyDataMem_SetHandler(pool_handler);
    if (usual == NULL)
        return NULL;
    PyObject *array = PyArray_EMPTY(leaf->ndim, leaf->dims, leaf->type, 0);
    PyObject *own = PyDataMem_SetHandler(usual);
    Py_DECREF(usual);
    if (own == NULL)
        Py_CLEAR(array);
    Py_XDECREF(own);
    return array;
}

/* Give back to the system what is free, and the work space of this thread; how many bytes. */
static PyObject *clear_memory(PyObject *module, PyObject *nothing)
{
    void *old[BLOCKS];
    int count = 0;
    pthread_mutex_lock(&pool_lock);
    size_t size = pool_size;
    while (pool_count)
        old[count++] = pool_take(pool_count - 1);
    pthread_mutex_unlock(&pool_lock);
    while (count)
        free(old[--count]);
    Arena *arena = pthread_getspecific(arena_key);
    if (arena != NULL) {
        size += arena->size;
        arena_free(arena);
        pthread_setspecific(arena_key, NULL);
    }
    return PyLong_FromSize_t(size);
}
