//! Which file format: told by the content when reading, by the extension when writing.

use crate::error::{Error, Kind, Result};
use std::path::Path;

/// A file format that latentd reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// PNG: lossless, 8 or 16 bits, with opacity.
    Png,
    /// JPEG: lossy, 8 bits, without opacity.
    Jpeg,
    /// WebP: 8 bits, with opacity; written lossless.
    WebP,
    /// TIFF: lossless, 8 or 16 bits, with opacity.
    Tiff,
    /// BMP: lossless, 8 bits, with opacity, without metadata but the print resolution.
    Bmp,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff, Format::Bmp];

    /// The name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
            Format::Bmp => "BMP",
        }
    }

    /// The extensions it goes by, in lower case, the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Png => &["png"],
            Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Format::WebP => &["webp"],
            Format::Tiff => &["tif", "tiff"],
            Format::Bmp => &["bmp", "dib"],
        }
    }

    /// The format for a file to be written at `path`, by its extension in upper or lower case.
    ///
    /// # Errors
    ///
    /// [`Kind::Config`] when there is no extension or none that latentd writes: the path comes from a name template or a
    /// command line.
    pub fn from_extension(path: &Path) -> Result<Format> {
        let Some(extension) = path.extension().map(|e| e.to_string_lossy().to_lowercase()) else {
            return Err(Error::new(Kind::Config, "the name has no extension, so the format to write is unknown")
                .mend("end the name in .png, .jpg, .webp, .tif or .bmp")
                .at(path));
        };
        if let Some(format) = Self::with_extension(&extension) {
            return Ok(format);
        }
        let nearest = crate::did_you_mean(&extension, Self::ALL.iter().flat_map(|f| f.extensions()).copied());
        let mend = match nearest {
            Some(known) => format!("did you mean .{known}?"),
            None => "write .png, .jpg, .webp, .tif or .bmp".to_owned(),
        };
        Err(Error::new(Kind::Config, format!("latentd does not write .{} files", extension.escape_debug()))
            .mend(mend)
            .at(path))
    }

    /// The format that goes by `extension`, which is in lower case and without its dot.
    pub fn with_extension(extension: &str) -> Option<Format> {
        Self::ALL.into_iter().find(|f| f.extensions().contains(&extension))
    }

    /// The format of a file that starts with `head` (16 bytes suffice).
    pub fn from_content(head: &[u8]) -> Option<Format> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
            // "BM" alone would claim many a text file: the reserved fields are zero in practice.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Format::Bmp),
            _ => None,
        }
    }
}

/// The name of a well-known format that latentd does not read, for a clearer refusal.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Some(match brand {
            [b'a', b'v', b'i', ..] => "an AVIF picture",
            [b'm', b'i' | b's', b'f', ..] => "a HEIF picture that is not coded by HEVC",
            [b'c', b'r', b'x', ..] => "a camera's raw file",
            _ => "a film",
        }),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', ..] => Some("a JPEG XL picture"),
        [0, 0, 0, 12, b'j', b'P', ..] => Some("a JPEG 2000 picture"),
        [b'8', b'B', b'P', b'S', ..] => Some("a Photoshop document"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF"),
        [b'I', b'I', b'R' | b'U', ..] | [b'M', b'M', b'O', b'R', ..] => Some("a camera's raw file"),
        [b'v', b'/', b'1', 1, ..] => Some("an OpenEXR picture"),
        [b'<', b's', b'v', b'g', ..] | [b'<', b'?', b'x', b'm', b'l', ..] => Some("an SVG or XML file"),
        [b'P', b'1'..=b'7', b'\n' | b' ', ..] => Some("a PNM picture"),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn extensions_in_any_case() {
        for (name, format) in
            [("a.PNG", Format::Png), ("a.b.Jpg", Format::Jpeg), ("a.jpeg", Format::Jpeg), ("a.TIF", Format::Tiff)]
        {
            assert_eq!(Format::from_extension(Path::new(name)).unwrap(), format);
        }
    }

    #[test]
    fn a_slip_is_mended() {
        let error = Format::from_extension(Path::new("out.jgp")).unwrap_err();
        assert_eq!(error.mend_text(), Some("did you mean .jpg?"));
        assert_eq!(error.kind(), Kind::Config);
        assert!(Format::from_extension(Path::new("out")).is_err());
    }
}
