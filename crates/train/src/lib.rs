//! The offline trainer of latentd: trains the models with burn and publishes them as ONNX.
//!
//! ```text
//! latentd-train denoise-photo --data pictures --out models/denoise-photo --hours 1
//! ```
//!
//! | module | what it owns |
//! |---|---|
//! | [`cli`] | the command line, one command a file |
//! | [`recipes`] | one folder a recipe: network, data, loss, what the card says |
//! | [`data`] | pictures: found, decoded, cut, turned, made small; batches made ahead |
//! | [`digits`] | the digits models judged, and what the lesson asks of them |
//! | [`dsp`] | spectra of sound and their gradients |
//! | [`layers`] | layers that networks share, and their first weights |
//! | [`ops`] | convolution and GRU for burn on kernels of our own, with handwritten gradients |
//! | [`run`] | the training loop, its checkpoints, schedule, log and loss curve |
//! | [`onnx`] | networks written as ONNX, weights read back |
//! | [`publish`] | the model's folder, and the proof that burn and tract agree |
//! | [`measure`] | scores by the papers' protocols |
//! | [`bench`] | how fast this machine trains |
//!
//! A new recipe implements [`recipes::Recipe`], which is all that [`run::train`] needs, whatever the media.

pub mod bench;
pub mod cli;
pub mod data;
pub mod device;
pub mod digits;
pub mod dsp;
pub mod layers;
pub mod measure;
pub mod onnx;
pub mod ops;
pub mod publish;
pub mod recipes;
pub mod run;

use std::fmt::Display;
use std::io::{Write, stderr};

/// Ends with an error that says by its kind, and so by the program's exit code, whose mistake it is: `refuse!(Usage, "--steps must be at least 1")`.
macro_rules! refuse {
    ($kind:ident, $($told:tt)*) => {
        return Err(latentd::Error::new(latentd::Kind::$kind, format!($($told)*)).into())
    };
}
pub(crate) use refuse;

/// An error of latentd's own as one of this program's, in one line with what can be done about it.
pub(crate) fn own(error: latentd::Error) -> anyhow::Error {
    let told = match error.mend_text() {
        Some(mend) => format!("{error}; {mend}"),
        None => error.to_string(),
    };
    latentd::Error::new(error.kind(), told).into()
}

/// Tells a person something. Whoever has hung up hears nothing, and that ends no training.
pub(crate) fn tell(what: impl Display) {
    let _ = writeln!(stderr(), "{what}");
}
