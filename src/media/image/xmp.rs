//! Small edits of an XMP packet. XMP is XML, but only fixed names with plain numbers matter here, so the text is edited in
//! place and everything else in the packet stays as its writer left it.

/// Sets the orientation to 1 and removes embedded thumbnails: they show the old picture.
pub(super) fn settle(packet: Vec<u8>) -> Option<Vec<u8>> {
    // A packet in UTF-16, or broken, cannot be edited; carried unedited it might turn the picture a second time.
    let mut text = String::from_utf8(packet).ok()?;
    set_number(&mut text, "tiff:Orientation", 1);
    while let Some(start) = text.find("<xmp:Thumbnails") {
        let close = "</xmp:Thumbnails>";
        let Some(length) = text[start..].find(close) else { break };
        text.replace_range(start..start + length + close.len(), "");
    }
    Some(text.into_bytes())
}

/// Sets every statement of the picture's size.
pub(super) fn set_size(packet: Vec<u8>, width: usize, height: usize) -> Vec<u8> {
    match String::from_utf8(packet) {
        Ok(mut text) => {
            for name in ["tiff:ImageWidth", "exif:PixelXDimension"] {
                set_number(&mut text, name, width);
            }
            for name in ["tiff:ImageLength", "exif:PixelYDimension"] {
                set_number(&mut text, name, height);
            }
            text.into_bytes()
        }
        Err(error) => error.into_bytes(),
    }
}

/// Replaces the digits in `name="123"`, `name='123'` and `<name>123</name>`, wherever they stand.
fn set_number(text: &mut String, name: &str, value: usize) {
    let mut from = 0;
    while let Some(found) = text[from..].find(name) {
        let after = from + found + name.len();
        from = after;
        let rest = &text[after..];
        let opened = rest.trim_start_matches([' ', '=', '>', '\n', '\r', '\t']);
        let opened = opened.strip_prefix(['"', '\'']).unwrap_or(opened);
        let start = after + (rest.len() - opened.len());
        let digits = opened.bytes().take_while(u8::is_ascii_digit).count();
        // The name must be followed by more than nothing, or "tiff:Orientation2" would count.
        if digits > 0 && start > after {
            let number = value.to_string();
            text.replace_range(start..start + digits, &number);
            from = start + number.len();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing() {
        let packet = br#"<rdf:D tiff:Orientation="6" exif:PixelXDimension='10'><tiff:Orientation>8</tiff:Orientation>
            <tiff:ImageWidth>99</tiff:ImageWidth><xmp:Thumbnails>old</xmp:Thumbnails></rdf:D>"#;
        let text = String::from_utf8(set_size(settle(packet.to_vec()).unwrap(), 1234, 7)).unwrap();
        assert!(text.contains(r#"tiff:Orientation="1""#), "{text}");
        assert!(text.contains("<tiff:Orientation>1</tiff:Orientation>"), "{text}");
        assert!(text.contains("exif:PixelXDimension='1234'"), "{text}");
        assert!(text.contains("<tiff:ImageWidth>1234</tiff:ImageWidth>"), "{text}");
        assert!(!text.contains("old"), "{text}");
    }

    #[test]
    fn what_is_not_a_number_stays() {
        let packet = "tiff:Orientation=\"up\" tiff:Orientation2=\"3\" <tiff:Orientation";
        assert_eq!(settle(packet.into()).unwrap(), packet.as_bytes());
    }
}
