"""Dense linear algebra as textbooks state it: loops over rows and columns, stores in place."""

import numpy as np


def lu(a):
    """A = L U without pivoting, both in the place of A.

    Trefethen & Bau, Numerical Linear Algebra, algorithm 20.1; PolyBench 4.2, kernel lu.
    """
    n = len(a)
    for k in range(n - 1):
        for i in range(k + 1, n):
            a[i, k] = a[i, k] / a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return a


def lu_with_pivoting(a):
    """P A = L U: the greatest element of each column is swapped up.

    Trefethen & Bau, algorithm 21.1.
    """
    n = len(a)
    u, lower, p = a.copy(), np.eye(n), np.eye(n)
    for k in range(n - 1):
        i = k + np.argmax(np.abs(u[k:, k]))
        if i != k:
            u[[k, i], k:] = u[[i, k], k:]
            lower[[k, i], :k] = lower[[i, k], :k]
            p[[k, i], :] = p[[i, k], :]
        for j in range(k + 1, n):
            lower[j, k] = u[j, k] / u[k, k]
            u[j, k:] = u[j, k:] - lower[j, k] * u[k, k:]
    return p, lower, u


def gauss_jordan(a, b):
    """A x = b by elimination of each column in all other rows; rows are swapped one at a time.

    Press et al., Numerical Recipes, 3rd ed., section 2.1, with pivots from the column alone.
    """
    a, b = a.copy(), b.copy()
    n = len(b)
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[best, k]):
                best = i
        if a[best, k] == 0.0:
            raise np.linalg.LinAlgError("Singular matrix")
        if best != k:
            for j in range(n):
                a[k, j], a[best, j] = a[best, j], a[k, j]
            b[k], b[best] = b[best], b[k]
        scale = 1.0 / a[k, k]
        a[k] *= scale
        b[k] *= scale
        for i in range(n):
            if i == k:
                continue
            factor = a[i, k]
            a[i] -= factor * a[k]
            b[i] -= factor * b[k]
    return b


def cholesky(a):
    """A = R* R, of which R is left in the upper triangle.

    Trefethen & Bau, algorithm 23.1.
    """
    r = a.copy()
    m = len(a)
    for k in range(m):
        for j in range(k + 1, m):
            r[j, j:] -= r[k, j:] * r[k, j] / r[k, k]
        r[k, k:] /= np.sqrt(r[k, k])
    return np.triu(r)


def cholesky_crout(a):
    """A = L L*, element by element in the place of A, whose upper triangle stays.

    PolyBench 4.2, kernel cholesky; Golub & Van Loan, Matrix Computations, 4th ed., section 4.2.
    """
    n = a.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
        for k in range(i):
            a[i, i] -= a[i, k] * a[i, k]
        a[i, i] = np.sqrt(a[i, i])


def forward_substitution(lower, b):
    """L x = b.

    Golub & Van Loan, 4th ed., algorithm 3.1.1; PolyBench 4.2, kernel trisolv.
    """
    x = np.zeros_like(b)
    for i in range(len(b)):
        x[i] = (b[i] - lower[i, :i] @ x[:i]) / lower[i, i]
    return x


def back_substitution(r, b):
    """R x = b.

    Trefethen & Bau, algorithm 17.1.
    """
    m = len(b)
    x = np.empty(m)
    for j in reversed(range(m)):
        total = b[j]
        for k in range(j + 1, m):
            total -= x[k] * r[j, k]
        x[j] = total / r[j, j]
    return x


def durbin(r):
    """The Yule-Walker equations of a Toeplitz matrix.

    Golub & Van Loan, 4th ed., algorithm 4.7.1; PolyBench 4.2, kernel durbin.
    """
    y = np.empty_like(r)
    y[0] = alpha = -r[0]
    beta = 1.0
    for k in range(1, len(r)):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + np.dot(r[:k][::-1], y[:k])) / beta
        y[:k] += alpha * y[:k][::-1]
        y[k] = alpha
    return y


def gram_schmidt(a):
    """A = Q R by the modified Gram-Schmidt process.

    Trefethen & Bau, algorithm 8.1; PolyBench 4.2, kernel gramschmidt.
    """
    m, n = a.shape
    v, q, r = a.copy(), np.zeros((m, n)), np.zeros((n, n))
    for i in range(n):
        r[i, i] = np.linalg.norm(v[:, i])
        q[:, i] = v[:, i] / r[i, i]
        for j in range(i + 1, n):
            r[i, j] = q[:, i] @ v[:, j]
            v[:, j] -= r[i, j] * q[:, i]
    return q, r


def householder_qr(a):
    """A = Q R by reflections; R in the place of A, and the vectors of the reflections.

    Trefethen & Bau, algorithm 10.1.
    """
    vectors = []
    for k in range(a.shape[1]):
        x = a[k:, k]
        v = x.copy()
        v[0] += (1.0 if x[0] >= 0 else -1.0) * np.sqrt(np.sum(x * x))
        v /= np.sqrt(np.sum(v * v))
        a[k:, k:] -= 2 * np.outer(v, v @ a[k:, k:])
        vectors.append(v)
    return vectors


def rotation(a, b):
    """c and s of the rotation that turns (a, b) into (r, 0).

    Golub & Van Loan, 4th ed., algorithm 5.1.3.
    """
    if b == 0:
        return 1.0, 0.0
    if abs(b) > abs(a):
        tau = -a / b
        s = 1 / np.sqrt(1 + tau**2)
        return s * tau, s
    tau = -b / a
    c = 1 / np.sqrt(1 + tau**2)
    return c, c * tau


def givens_qr(a):
    """R of A = Q R in the place of A, by rotations of neighbouring rows.

    Golub & Van Loan, 4th ed., algorithm 5.2.4.
    """
    m, n = a.shape
    for j in range(n):
        for i in range(m - 1, j, -1):
            c, s = rotation(a[i - 1, j], a[i, j])
            upper = c * a[i - 1, j:] - s * a[i, j:]
            lower = s * a[i - 1, j:] + c * a[i, j:]
            a[i - 1, j:], a[i, j:] = upper, lower


def echelon(a, tol=1e-9):
    """The reduced row echelon form and the rank, which decides on the course of the elimination.

    Strang, Introduction to Linear Algebra, 5th ed., section 3.2.
    """
    r = a.copy()
    m, n = r.shape
    rank = 0
    for j in range(n):
        if rank == m:
            break
        pivot = rank + int(np.argmax(np.abs(r[rank:, j])))
        if abs(r[pivot, j]) <= tol:
            r[rank:, j] = 0.0
            continue
        r[[rank, pivot]] = r[[pivot, rank]]
        r[rank] /= r[rank, j]
        for i in range(m):
            if i != rank:
                r[i] -= r[i, j] * r[rank]
        rank += 1
    return r, rank


def jacobi_eigenvalues(a, sweeps):
    """Eigenvalues of a symmetric matrix by cyclic rotations, from its diagonal.

    Golub & Van Loan, 4th ed., algorithms 8.5.1 and 8.5.3.
    """
    n = len(a)
    a = a.copy()
    for _ in range(sweeps):
        for p in range(n - 1):
            for q in range(p + 1, n):
                if a[p, q] != 0:
                    tau = (a[q, q] - a[p, p]) / (2 * a[p, q])
                    t = 1 / (tau + np.sqrt(1 + tau**2)) if tau >= 0 else 1 / (
                        tau - np.sqrt(1 + tau**2)
                    )
                    c = 1 / np.sqrt(1 + t**2)
                    s = t * c
                else:
                    c, s = 1.0, 0.0
                rotated = np.eye(n)
                rotated[p, p] = rotated[q, q] = c
                rotated[p, q], rotated[q, p] = s, -s
                a = rotated.T @ a @ rotated
    return np.diag(a)


def strassen(a, b):
    """A product of matrices by seven products of blocks, called recursively.

    Strassen, Numerische Mathematik 13 (1969).
    """
    n = len(a)
    if n == 1:
        return a * b
    h = n // 2
    a11, a12, a21, a22 = a[:h, :h], a[:h, h:], a[h:, :h], a[h:, h:]
    b11, b12, b21, b22 = b[:h, :h], b[:h, h:], b[h:, :h], b[h:, h:]
    m1 = strassen(a11 + a22, b11 + b22)
    m2 = strassen(a21 + a22, b11)
    m3 = strassen(a11, b12 - b22)
    m4 = strassen(a22, b21 - b11)
    m5 = strassen(a11 + a12, b22)
    m6 = strassen(a21 - a11, b11 + b12)
    m7 = strassen(a12 - a22, b21 + b22)
    c = np.zeros((n, n))
    c[:h, :h] = m1 + m4 - m5 + m7
    c[:h, h:] = m3 + m5
    c[h:, :h] = m2 + m4
    c[h:, h:] = m1 - m2 + m3 + m6
    return c


def normal(seed, *shape):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def definite(seed, n):
    """A symmetric matrix with eigenvalues above 1."""
    root = normal(seed, n, n)
    return root @ root.T + n * np.eye(n)


def singular(seed):
    """A matrix of rank 2: the third row is the sum of two others."""
    a = normal(seed, 3, 4)
    a[2] = a[0] + a[1]
    return a


PROGRAMS = [
    (lu, (definite(0, 5),), (definite(1, 5),)),
    (lu_with_pivoting, (normal(0, 4, 4),), (normal(1, 4, 4),)),
    (gauss_jordan, (normal(0, 4, 4), normal(1, 4)), (normal(2, 4, 4), normal(3, 4))),
    (cholesky, (definite(0, 4),), (definite(1, 4),)),
    (cholesky_crout, (definite(0, 4),), (definite(1, 4),)),
    (forward_substitution, (definite(0, 5), normal(1, 5)), (definite(2, 5), normal(3, 5))),
    (back_substitution, (definite(0, 5), normal(1, 5)), (definite(2, 5), normal(3, 5))),
    (durbin, (0.1 * normal(0, 6),), (0.1 * normal(1, 6),)),
    (gram_schmidt, (normal(0, 5, 3),), (normal(1, 5, 3),)),
    (householder_qr, (normal(0, 5, 3),), (normal(1, 5, 3),)),
    (givens_qr, (normal(0, 4, 3),), (normal(1, 4, 3),)),
    (echelon, (normal(0, 3, 4),), (normal(1, 3, 4),)),
    (jacobi_eigenvalues, (definite(0, 3), 2), (definite(1, 3), 2)),
    (strassen, (normal(0, 4, 4), normal(1, 4, 4)), (normal(2, 4, 4), normal(3, 4, 4))),
]
