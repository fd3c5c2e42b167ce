//! What the program says by its exit code: what `latentd` says by the same one.

use std::io;

use latentd::Kind;

use super::stop::{INTERRUPTED, Interrupted};

/// Of what no other code tells.
const FAILED: u8 = 1;

/// The exit code of an error, by the convention of `sysexits.h`.
pub(super) fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Interrupted>() {
        return INTERRUPTED;
    }
    let kind = error.chain().find_map(|cause| {
        let own = cause.downcast_ref::<latentd::Error>().map(latentd::Error::kind);
        own.or_else(|| cause.downcast_ref::<io::Error>().and_then(kind_of))
    });
    kind.map_or(FAILED, Kind::exit_code)
}

/// What an error of the system says by itself, be it of something read or written.
fn kind_of(error: &io::Error) -> Option<Kind> {
    use io::ErrorKind as E;
    match error.kind() {
        E::NotFound | E::IsADirectory | E::NotADirectory => Some(Kind::NoInput),
        E::StorageFull | E::QuotaExceeded | E::StaleNetworkFileHandle => Some(Kind::Transient),
        E::ReadOnlyFilesystem | E::FileTooLarge => Some(Kind::Output),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;
    use crate::refuse;

    /// All were 1.
    #[test]
    fn an_error_is_told_by_its_exit_code_however_it_is_wrapped() {
        let usage = || -> anyhow::Result<()> { refuse!(Usage, "--steps must be at least {}", 1) };
        assert_eq!(code(&usage().expect_err("usage")), 64);
        assert_eq!(code(&usage().context("digits-ae").expect_err("usage")), 64);
        assert_eq!(
            format!("{:#}", usage().context("digits-ae").expect_err("usage")),
            "digits-ae: --steps must be at least 1"
        );
        let missing = std::fs::read("/nonexistent/file").context("cannot read it").context("digits-ae");
        assert_eq!(code(&missing.expect_err("nothing is there")), 66);
        let full: io::Result<()> = Err(io::ErrorKind::StorageFull.into());
        assert_eq!(code(&full.context("cannot save a checkpoint").expect_err("full")), 75);
        assert_eq!(code(&crate::own(latentd::Error::new(Kind::Model, "it is damaged"))), 70);
        let interrupted = Interrupted { step: 1, time: std::time::Duration::ZERO };
        assert_eq!(code(&anyhow::Error::from(interrupted).context("digits-ae")), 130);
        assert_eq!(code(&anyhow!("the loss is no number")), 1);
    }
}
