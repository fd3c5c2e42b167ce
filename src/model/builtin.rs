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
    ($($name:literal $($draws:ident)?),* $(,)?) => {
        &[$(Builtin {
            name: $name,
            card: include_str!(concat!("../../models/", $name, "/card.yaml")),
            onnx: include_bytes!(concat!("../../models/", $name, "/model.onnx")),
            golden: include_bytes!(concat!("../../models/", $name, "/golden.safetensors")),
            draws: builtin!(@draws $name $($draws)?),
        }),*]
    };
}

/// All of them, by name.
pub const BUILTIN: &[Builtin] = builtin![
    "denoise-camera",
    "denoise-photo",
    "denoise-photo-fast",
    "denoise-speech",
    "melody-2bar" draws,
    "upscale-camera-x2",
    "upscale-camera-x4",
    "upscale-photo-x2",
    "upscale-photo-x2-fast",
    "upscale-photo-x3",
    "upscale-photo-x3-fast",
    "upscale-photo-x4",
    "upscale-photo-x4-fast",
];
