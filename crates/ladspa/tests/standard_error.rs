//! A host whose standard error goes nowhere, as that of a desktop program may.
#![allow(missing_docs, unsafe_code, clippy::unwrap_used)]

use std::process::{Command, Stdio};

use latentd_ladspa::plugin::ladspa_descriptor;

const NAME: &str = "a_refused_instance_leaves_a_host_alive_whose_standard_error_nobody_reads";
const IS_HOST: &str = "LATENTD_TEST_IS_HOST";

/// Bug: what could not be said was a panic, which ended the host.
#[test]
fn a_refused_instance_leaves_a_host_alive_whose_standard_error_nobody_reads() {
    if std::env::var_os(IS_HOST).is_some() {
        let descriptor = unsafe { ladspa_descriptor(0).as_ref() }.unwrap();
        let handle = unsafe { descriptor.instantiate.unwrap()(descriptor, 500) };
        assert!(handle.is_null());
        return;
    }
    // A process of its own, since all threads of one have the same standard error.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(IS_HOST, "1")
        .stdout(Stdio::null())
        .stderr(writer)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}
