//! The models that the program carries, so that it works wherever it is copied.

/// A model's files as they lie in `models/NAME`.
pub struct Builtin {
    pub name: &'static str,
    pub card: &'static str,
    pub onnx: &'static [u8],
    pub golden: &'static [u8],
    /// `draws.safetensors`, where there is one.
    pub draws: Option<&'static [u8]>,
}

macro_rules! builtin {
    (@draws $name:literal) => { None };
    (@draws $name:literal draws) => { Some(include_bytes!(concat!("../../models/", $name, "/draws.safetensors"))) };
    ($($feature:literal => $($name:literal $($draws:ident)?),*;)*) => {
        &[$($(
            #[cfg(feature = $feature)]
            Builtin {
                name: $name,
                card: include_str!(concat!("../../models/", $name, "/card.yaml")),
                onnx: include_bytes!(concat!("../../models/", $name, "/model.onnx")),
                golden: include_bytes!(concat!("../../models/", $name, "/golden.safetensors")),
                draws: builtin!(@draws $name $($draws)?),
            }
        ),*),*]
    };
}

/// Those that are shipped beside the program.
pub const BESIDE: &[&str] = &[
    "digits-aae",
    "digits-ae",
    "digits-ae16",
    "digits-ae2",
    "digits-cvae",
    "digits-denoise",
    "digits-upscale-x2",
    "digits-vae2",
    "digits-vae20",
    "drums-2bar",
    "melody-16bar",
    "trio-4bar",
];

/// All of them, by the cargo feature that leaves them out of a plugin. A static: of a constant each part of the program that uses it has its own
/// copy, and they are large.
pub static BUILTIN: &[Builtin] = builtin! {
    "audio-models" => "denoise-speech";
    "image-models" =>
        "denoise-camera",
        "denoise-photo",
        "denoise-photo-fast",
        "upscale-camera-x2",
        "upscale-camera-x4",
        "upscale-photo-x2",
        "upscale-photo-x2-fast",
        "upscale-photo-x3",
        "upscale-photo-x3-fast",
        "upscale-photo-x4",
        "upscale-photo-x4-fast";
    "melody-models" => "melody-2bar" draws;
};

#[cfg(all(test, feature = "audio-models", feature = "image-models", feature = "melody-models"))]
mod tests {
    use super::*;

    #[test]
    fn every_model_of_the_repository_is_one_or_the_other() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut there: Vec<String> = entries.collect();
        there.sort();
        let mut known: Vec<&str> = BUILTIN.iter().map(|builtin| builtin.name).chain(BESIDE.iter().copied()).collect();
        known.sort_unstable();
        assert_eq!(there, known);
    }
}
