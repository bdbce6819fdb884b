//! The trait of an instruction set: a register type and the operations that the kernels need.
#![allow(unsafe_code, reason = "the operations are unsafe functions; see the trait's docs")]

/// The vector registers of an instruction set for elements of type `F`, and the operations on them.
///
/// # Safety of the methods
/// The processor must have the instruction set that `self` names, and the calling function must be compiled for it.
/// Pointers must be valid for the elements that are read or written; they need not be aligned.
#[doc(hidden)]
#[allow(clippy::missing_safety_doc, reason = "the contract is the same for all methods; see above")]
pub trait Simd<F>: Copy + Send + Sync {
    /// A vector register.
    type Reg: Copy;

    /// Elements in a register.
    const LANES: usize;

    /// Number of architectural registers: 16 or 32. Kernels choose the size of their tiles by it.
    const REGISTERS: usize;

    /// Rows and columns of the square block that [`transpose`](Self::transpose) processes.
    const TRANSPOSE_DIM: usize;

    /// Zero in every lane.
    unsafe fn zero(self) -> Self::Reg;

    /// `value` in every lane.
    unsafe fn splat(self, value: F) -> Self::Reg;

    /// Loads a register from unaligned memory.
    unsafe fn loadu(self, from: *const F) -> Self::Reg;

    /// Stores a register to unaligned memory.
    unsafe fn storeu(self, to: *mut F, value: Self::Reg);

    /// `a + b`.
    unsafe fn add(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// `a - b`.
    unsafe fn sub(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// `a · b`.
    unsafe fn mul(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// 0 in the lanes where `|a| < threshold`, else `a`; keeps NaN.
    unsafe fn flush_to_zero(self, a: Self::Reg, threshold: Self::Reg) -> Self::Reg;

    /// `from - a · b / (√c + d)`: the last line of Adam's update. `c` must not be subnormal or negative. The quotient
    /// is within two units in the last place.
    unsafe fn sub_mul_div_sqrt(
        self,
        from: Self::Reg,
        a: Self::Reg,
        b: Self::Reg,
        c: Self::Reg,
        d: Self::Reg,
    ) -> Self::Reg;

    /// `a · b + c`, rounded once if the instruction set has a fused multiply-add, else twice.
    unsafe fn mul_add(self, a: Self::Reg, b: Self::Reg, c: Self::Reg) -> Self::Reg;

    /// `c - a · b`, rounded as in [`mul_add`](Self::mul_add).
    unsafe fn neg_mul_add(self, a: Self::Reg, b: Self::Reg, c: Self::Reg) -> Self::Reg;

    /// Minimum of `a` and `b`, neither of which may be NaN.
    unsafe fn min(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;

    /// Sum of the lanes.
    unsafe fn reduce_sum(self, value: Self::Reg) -> F;

    /// Selects `then` in the lanes where `a < b`, else `otherwise`.
    unsafe fn select_lt(self, a: Self::Reg, b: Self::Reg, then: Self::Reg, otherwise: Self::Reg)
    -> Self::Reg;

    /// Transposes a square block of side [`TRANSPOSE_DIM`](Self::TRANSPOSE_DIM) and subtracts a mean from each column
    /// of the source: `to[j][i] = from[i][j] - mean[j]`. A pointer comes with the stride of its rows.
    unsafe fn transpose(self, from: (*const F, usize), mean: *const F, to: (*mut F, usize));
}
