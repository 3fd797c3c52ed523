/* Values and gradients as a good colleague writes them in C, behind symdiff's own binding.

   Each function takes the addresses of the arguments, and of the value and the gradients.
   `n[]` are the sizes of the workload. Compiled as emitted programs are: the same flags, glibc's
   vector functions, NumPy's BLAS. What is in between is allocated. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIMD _Pragma("omp simd")
#define VECTOR _Pragma("omp declare simd notinbranch")
VECTOR extern double exp(double);
VECTOR extern double log(double);
VECTOR extern double log1p(double);
VECTOR extern double erf(double);
VECTOR extern double tanh(double);
VECTOR extern double sine(double) __asm__("sin"); /* else gcc makes sincos of both, a scalar */
VECTOR extern double cos(double);

#ifndef SD_INT
#define SD_INT int64_t
#endif
static void (*const *sd_routines)(void);
void symdiff_bind(void (*const *routines)(void)) { sd_routines = routines; }
typedef void (*gemm)(const char *, const char *, const SD_INT *, const SD_INT *, const SD_INT *,
    const double *, const double *, const SD_INT *, const double *, const SD_INT *,
    const double *, double *, const SD_INT *);
typedef void (*gemv)(const char *, const SD_INT *, const SD_INT *, const double *, const double *,
    const SD_INT *, const double *, const SD_INT *, const double *, double *, const SD_INT *);

/* c = a b, or aT b, or a bT, of matrices row by row */
static inline void product(char ta, char tb, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
    const double *a, ptrdiff_t lda, const double *b, ptrdiff_t ldb, double *c)
{
    const SD_INT rows = m, columns = n, inner = k, first = lda, second = ldb;
    const double one = 1, zero = 0;
    ((gemm)sd_routines[0])(&tb, &ta, &columns, &rows, &inner, &one, b, &second, a, &first, &zero,
        c, &columns);
}

/* One pass: each element takes its two terms. */
static inline void rosenbrock(const void *const *in, void *const *out)
{
    const double *restrict x = in[0];
    double *restrict g = out[1], value = 0;
    const ptrdiff_t last = n[0] - 1;
    {
        const double t = x[1] - x[0] * x[0], u = 1 - x[0];
        value = 100 * t * t + u * u;
        g[0] = -400 * x[0] * t - 2 * u;
    }
#pragma omp simd reduction(+ : value)
    for (ptrdiff_t i = 1; i < last; i++) {
        const double t = x[i + 1] - x[i] * x[i], u = 1 - x[i];
        value += 100 * t * t + u * u;
        g[i] = 200 * (x[i] - x[i - 1] * x[i - 1]) - 400 * x[i] * t - 2 * u;
    }
    g[last] = 200 * (x[last] - x[last - 1] * x[last - 1]);
    *(double *)out[0] = value;
}

static inline void black_scholes(const void *const *in, void *const *out)
{
    const double *restrict s = in[0], *restrict k = in[1], *restrict t = in[2];
    const double *restrict r = in[3], *restrict v = in[4];
    double *restrict ds = out[1], *restrict dt = out[2], *restrict dr = out[3];
    double *restrict dv = out[4], value = 0;
#pragma omp simd reduction(+ : value)
    for (ptrdiff_t i = 0; i < n[0]; i++) {
        const double root = sqrt(t[i]), spread = v[i] * root;
        const double d1 = (log(s[i] / k[i]) + (r[i] + 0.5 * v[i] * v[i]) * t[i]) / spread;
        const double d2 = d1 - spread, discounted = k[i] * exp(-r[i] * t[i]);
        const double n1 = 0.5 + 0.5 * erf(d1 * 0.70710678118654752);
        const double n2 = 0.5 + 0.5 * erf(d2 * 0.70710678118654752);
        const double vega = s[i] * 0.3989422804014327 * exp(-0.5 * d1 * d1) * root;
        value += s[i] * n1 - discounted * n2;
        ds[i] = n1;
        dr[i] = discounted * t[i] * n2;
        dt[i] = vega * v[i] / (2 * t[i]) + r[i] * discounted * n2;
        dv[i] = vega;
    }
    *(double *)out[0] = value;
}

static inline void chain(const void *const *in, void *const *out)
{
    const double *restrict x = in[0];
    double *restrict g = out[1], value = 0;
#pragma omp simd reduction(+ : value)
    for (ptrdiff_t i = 0; i < n[0]; i++) {
        const double s = sine(x[i]), c = cos(x[i]), e = exp(0.5 * s), r = sqrt(1 + e * e);
        const double h = tanh(r - 1), q = 1 + h * h;
        value += log(q) * e;
        const double h_bar = 2 * h / q * e, r_bar = h_bar * (1 - h * h);
        const double e_bar = log(q) + r_bar * e / r;
        g[i] = e_bar * e * 0.5 * c;
    }
    *(double *)out[0] = value;
}

static inline void logistic(const void *const *in, void *const *out)
{
    const double *restrict b = in[1], *restrict x = in[2], *restrict y = in[3];
    double *restrict m = malloc((size_t)n[0] * sizeof(double)), value = 0, total = 0;
    const SD_INT rows = n[0], columns = n[1], unit = 1;
    const double one = 1, zero = 0, share = -1 / (double)n[0];
    ((gemv)sd_routines[2])("T", &columns, &rows, &one, x, &columns, in[0], &unit, &zero, m, &unit);
#pragma omp simd reduction(+ : value, total)
    for (ptrdiff_t i = 0; i < n[0]; i++) {
        const double e = exp(-y[i] * (m[i] + *b)), q = e / (1 + e) * y[i];
        value += log(1 + e);
        total += q;
        m[i] = q;
    }
    ((gemv)sd_routines[2])("N", &columns, &rows, &share, x, &columns, m, &unit, &zero, out[1],
        &unit);
    *(double *)out[0] = value / (double)n[0];
    *(double *)out[2] = total * share;
    free(m);
}

static inline void mixture(const void *const *in, void *const *out)
{
    const ptrdiff_t N = n[0], D = n[1], K = n[2];
    const double *restrict alpha = in[0], *mu = in[1], *q = in[2], *L = in[3], *x = in[4];
    double *alpha_bar = out[1], *mu_bar = out[2], *q_bar = out[3], *L_bar = out[4];
    double *const c = malloc((size_t)(2 * K * N * D + K * N + D + D * D) * sizeof(double));
    double *const z = c + K * N * D, *const s = z + K * N * D, *const sums = s + K * N;
    double *const M = sums + D, value = 0;
    for (ptrdiff_t k = 0; k < K; k++) {
        double *restrict ck = c + k * N * D, *restrict zk = z + k * N * D, sum = 0;
        for (ptrdiff_t i = 0; i < N; i++)
            SIMD
            for (ptrdiff_t j = 0; j < D; j++)
                ck[i * D + j] = x[i * D + j] - mu[k * D + j];
        memcpy(M, L + k * D * D, (size_t)(D * D) * sizeof(double));
        for (ptrdiff_t j = 0; j < D; j++) {
            M[j * D + j] += exp(q[k * D + j]);
            sum += q[k * D + j];
        }
        product('N', 'N', N, D, D, ck, D, M, D, zk);
        for (ptrdiff_t i = 0; i < N; i++) {
            double squares = 0;
#pragma omp simd reduction(+ : squares)
            for (ptrdiff_t j = 0; j < D; j++)
                squares += zk[i * D + j] * zk[i * D + j];
            s[k * N + i] = alpha[k] + sum - 0.5 * squares;
        }
    }
    double most = -INFINITY, sum = 0;
    for (ptrdiff_t k = 0; k < K; k++)
        most = alpha[k] > most ? alpha[k] : most;
    for (ptrdiff_t k = 0; k < K; k++)
        sum += exp(alpha[k] - most);
    for (ptrdiff_t i = 0; i < N; i++) {
        double m = -INFINITY, total = 0;
        for (ptrdiff_t k = 0; k < K; k++)
            m = s[k * N + i] > m ? s[k * N + i] : m;
        for (ptrdiff_t k = 0; k < K; k++)
            total += s[k * N + i] = exp(s[k * N + i] - m);
        for (ptrdiff_t k = 0; k < K; k++)
            s[k * N + i] /= total;
        value += m + log(total);
    }
    for (ptrdiff_t k = 0; k < K; k++) {
        double *restrict ck = c + k * N * D, *restrict zk = z + k * N * D, share = 0;
        double *restrict own = mu_bar + k * D;
        memset(sums, 0, (size_t)D * sizeof(double));
        for (ptrdiff_t i = 0; i < N; i++) {
            share += s[k * N + i];
            SIMD
            for (ptrdiff_t j = 0; j < D; j++)
                sums[j] += zk[i * D + j] *= -s[k * N + i];
        }
        alpha_bar[k] = share - (double)N * exp(alpha[k] - most) / sum;
        memcpy(M, L + k * D * D, (size_t)(D * D) * sizeof(double));
        for (ptrdiff_t j = 0; j < D; j++)
            M[j * D + j] += exp(q[k * D + j]);
        product('T', 'N', D, D, N, ck, D, zk, D, L_bar + k * D * D);
        for (ptrdiff_t j = 0; j < D; j++)
            q_bar[k * D + j] = L_bar[k * D * D + j * D + j] * exp(q[k * D + j]) + share;
        for (ptrdiff_t i = 0; i < D; i++) {
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (ptrdiff_t j = 0; j < D; j++)
                sum -= sums[j] * M[i * D + j];
            own[i] = sum;
        }
    }
    *(double *)out[0] = value - (double)N * (most + log(sum));
    free(c);
}
