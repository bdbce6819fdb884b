//! The loops over arrays with a function by its name.
//!
//! Each macro takes the name of a function, and a parameter for it if there is one. It writes a closure marked
//! `#[inline(always)]`: a function that is passed by name would remain a call to baseline code.

/// The closure that calls a function, as the last arguments of `$apply`.
macro_rules! with_closure {
    ($apply:path, ($($argument:expr),*), $function:path, $parameter:expr) => {
        $apply($($argument,)* #[inline(always)] |v| $function($parameter, v))
    };
    ($apply:path, ($($argument:expr),*), $function:path) => {
        $apply($($argument,)* #[inline(always)] |v| $function(v))
    };
}

/// Computes v := f(v).
macro_rules! map {
    ($values:expr, $($function:tt)*) => { with_closure!(loops::map, ($values), $($function)*) };
}

/// Computes dy := dy·f(v).
macro_rules! scale {
    ($dy:expr, $of:expr, $($function:tt)*) => { with_closure!(loops::scale, ($dy, $of), $($function)*) };
}

/// Applies a function of rows of length `width` to an array, unless the rows are empty.
macro_rules! map_rows {
    ($width:expr, $values:expr, $function:path) => {
        loops::map_rows(
            $width,
            $values,
            #[inline(always)]
            |width, values| $function(width, values),
        )
    };
}

/// Applies the gradient of a function of rows, unless the rows are empty.
macro_rules! scale_rows {
    ($width:expr, $y:expr, $dy:expr, $gradient:path) => {
        loops::scale_rows(
            $width,
            $y,
            $dy,
            #[inline(always)]
            |width, y, dy| $gradient(width, y, dy),
        )
    };
}

pub(super) use {map, map_rows, scale, scale_rows, with_closure};
