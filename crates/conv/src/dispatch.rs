//! Running a piece of code compiled for what the machine has.

/// Makes a closure callable only once, when moved into it.
#[derive(Debug)]
pub struct Once;

/// Evaluates an expression compiled for AVX2 where the machine has it.
///
/// A closure that could be called again is called through a shim, and the shim is compiled without
/// the instruction set and not inlined; hence the value that the body moves.
#[macro_export]
macro_rules! vectorise {
    ($body:expr) => {{
        let once = $crate::dispatch::Once;
        $crate::dispatch::with_avx2(
            #[inline(always)]
            || {
                let _moved = once;
                $body
            },
        )
    }};
}

/// Evaluates an expression with `$vectors` being the machine's best
/// [`Vectors`](crate::lanes::Vectors), compiled for them.
#[cfg(target_arch = "x86_64")]
macro_rules! vectorise_with {
    ($vectors:ident => $body:expr) => {
        match (pulp::x86::V4::try_new(), pulp::x86::V3::try_new()) {
            (Some(simd), _) => vectorise_with!(simd, $vectors = $crate::avx512::Avx512(simd) => $body),
            (None, Some(simd)) => vectorise_with!(simd, $vectors = $crate::avx2::Avx2(simd) => $body),
            (None, None) => {
                let $vectors = $crate::lanes::Portable;
                $body
            }
        }
    };
    ($simd:ident, $vectors:ident = $value:expr => $body:expr) => {{
        let once = $crate::dispatch::Once;
        $crate::dispatch::with(
            $simd,
            #[inline(always)]
            || {
                let _moved = once;
                let $vectors = $value;
                $body
            },
        )
    }};
}

#[cfg(not(target_arch = "x86_64"))]
macro_rules! vectorise_with {
    ($vectors:ident => $body:expr) => {{
        let $vectors = $crate::lanes::Portable;
        $body
    }};
}

pub(crate) use vectorise;
pub(crate) use vectorise_with;

/// AVX2 even where there is AVX-512, with which plain loops are not compiled well (see
/// [`crate::avx512`]).
#[inline(always)]
pub fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return with(simd, work);
    }
    work()
}

/// Runs `work` compiled for an instruction set.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn with<R>(simd: impl pulp::Simd, work: impl FnOnce() -> R) -> R {
    struct Work<F>(F);

    impl<R, F: FnOnce() -> R> pulp::WithSimd for Work<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> R {
            (self.0)()
        }
    }

    simd.vectorize(Work(work))
}
