//! A small catalog that looks like the real one, so that these tests stand on their own.

use latentd::config::{Catalog, Description, Field, Kind, Presence};
use latentd::media::MediaKind;

const fn field(name: &'static str, kind: Kind, presence: Presence, doc: &'static str) -> Field {
    Field { name, doc, kind, presence }
}

const PATH: Field = field("path", Kind::Path, Presence::Required, "The folder, relative to this file.");

pub const FOLDER_SOURCE: Description = Description {
    name: "folder",
    doc: "Takes every file that is dropped into a folder.",
    takes: &[],
    gives: &[MediaKind::Image],
    example: "folder: { path: in }",
    fields: &[
        PATH,
        field(
            "include",
            Kind::List(&Kind::Text),
            Presence::Default(r#"["*.jpg", "*.png"]"#),
            "Patterns of the file names to take.",
        ),
        field("recursive", Kind::Flag, Presence::Default("false"), "Whether to look into subfolders."),
        field("poll", Kind::ANY_DURATION, Presence::Optional, "How often to look, for network shares."),
        field(
            "settle",
            Kind::ANY_DURATION,
            Presence::Default("500ms"),
            "How long a file must rest before it is taken.",
        ),
        field("largest", Kind::Size, Presence::Default("200MB"), "Larger files are refused."),
    ],
};

pub const MICROPHONE: Description = Description {
    name: "microphone",
    doc: "Takes sound from a microphone.",
    takes: &[],
    gives: &[MediaKind::Audio],
    example: "microphone: { device: default }",
    fields: &[field("device", Kind::Text, Presence::Default("default"), "The device's name.")],
};

pub const DENOISE: Description = Description {
    name: "denoise",
    doc: "Removes noise from a picture.",
    takes: &[MediaKind::Image],
    gives: &[MediaKind::Image],
    example: "denoise: { model: m }",
    fields: &[
        field("model", Kind::Text, Presence::Required, "The model's name."),
        field(
            "sigma",
            Kind::Either(&[Kind::Choice(&["auto"]), Kind::Number { min: 0.0, max: 75.0 }]),
            Presence::Default("auto"),
            "How strong the noise is, 0 to 75.",
        ),
        field("strength", Kind::Number { min: 0.0, max: 1.0 }, Presence::Default("1"), "How much of it to remove."),
    ],
};

pub const UPSCALE: Description = Description {
    name: "upscale",
    doc: "Makes a picture larger.",
    takes: &[MediaKind::Image],
    gives: &[MediaKind::Image],
    example: "upscale: { model: m }",
    fields: &[field("model", Kind::Text, Presence::Default("upscale-photo-x2"), "The model's name.")],
};

pub const RESIZE: Description = Description {
    name: "resize",
    doc: "Makes a picture fit.",
    takes: &[MediaKind::Image],
    gives: &[MediaKind::Image],
    example: "resize: { width: 10 }",
    fields: &[
        field("width", Kind::Integer { min: 1, max: 65535 }, Presence::Optional, "The largest width in pixels."),
        field("height", Kind::Integer { min: 1, max: 65535 }, Presence::Optional, "The largest height in pixels."),
        field(
            "filter",
            Kind::Choice(&["box", "bilinear", "lanczos3"]),
            Presence::Default("lanczos3"),
            "How pixels are mixed.",
        ),
    ],
};

pub const FOLDER_SINK: Description = Description {
    name: "folder",
    doc: "Writes each result into a folder.",
    takes: &[MediaKind::Image],
    gives: &[],
    example: "folder: { path: out }",
    fields: &[
        PATH,
        field("name", Kind::Text, Presence::Default(r#""{stem}.{ext}""#), "The template of the file names."),
        field(
            "originals",
            Kind::Either(&[
                Kind::Choice(&["keep", "delete"]),
                Kind::Map(&[field("move", Kind::Path, Presence::Required, "The folder they are moved to.")]),
            ]),
            Presence::Default("keep"),
            "What becomes of the originals.",
        ),
        field("quality", Kind::Integer { min: 1, max: 100 }, Presence::Default("92"), "The quality of JPEG files."),
    ],
};

pub const SPEAKER: Description = Description {
    name: "speaker",
    doc: "Plays the sound.",
    takes: &[MediaKind::Audio],
    gives: &[],
    example: "speaker: { device: default }",
    fields: &[field("device", Kind::Text, Presence::Default("default"), "The device's name.")],
};

pub const CATALOG: Catalog = Catalog {
    sources: &[FOLDER_SOURCE, MICROPHONE],
    stages: &[DENOISE, UPSCALE, RESIZE],
    sinks: &[FOLDER_SINK, SPEAKER],
};
