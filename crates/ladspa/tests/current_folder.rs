//! The model is the one that is built in, whatever lies about where the host was started.
#![allow(missing_docs, clippy::unwrap_used)]

mod host;

use host::Plugin;

/// It was taken from `models/` in the current folder.
#[test]
fn models_of_the_current_folder_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("models/denoise-speech");
    std::fs::create_dir_all(&model).unwrap();
    std::fs::write(model.join("card.yaml"), "not a card").unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let mut plugin = Plugin::new(1, 48_000);
    plugin.activate();
    let sound = vec![vec![0.0; 4800]];
    assert_eq!(plugin.run(&sound, &[480]), sound);
}
