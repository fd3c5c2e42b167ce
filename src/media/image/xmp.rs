//! Small edits of an XMP packet. XMP is XML, but only fixed names matter here, with plain numbers or to be taken out, so the text is
//! edited as text and everything else in the packet stays as its writer left it.

use std::ops::Range;

/// Makes the packet true of the upright first picture alone: its orientation is 1, embedded thumbnails show the old picture, and
/// neither a film, nor a map for HDR screens, nor the longer part that a JPEG keeps apart goes along.
pub(super) fn settle(packet: Vec<u8>) -> Option<Vec<u8>> {
    // A packet in UTF-16, or broken, cannot be edited; carried unedited it might turn the picture a second time.
    let mut text = String::from_utf8(packet).ok()?;
    for name in ["xmp:Thumbnails", "hdrgm:Version", "Container:Directory", "xmpNote:HasExtendedXMP"] {
        remove(&mut text, name);
    }
    // Some write GCamera, and some Camera.
    for name in ["Camera:MotionPhoto", "Camera:MicroVideo", "Camera:MicroVideoOffset"] {
        set_number(&mut text, name, 0);
    }
    // After all that was removed: what closes up over a gap is read too.
    set_number(&mut text, "tiff:Orientation", 1);
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
    replace(text, name, &value.to_string(), |text, after| {
        let rest = &text[after..];
        let opened = rest.trim_start_matches([' ', '=', '>', '\n', '\r', '\t']);
        let opened = opened.strip_prefix(['"', '\'']).unwrap_or(opened);
        let start = after + (rest.len() - opened.len());
        let digits = opened.bytes().take_while(u8::is_ascii_digit).count();
        // The name must be followed by more than nothing, or "tiff:Orientation2" would count.
        (digits > 0 && start > after).then_some(start..start + digits)
    });
}

/// Takes `name="…"`, `<name/>` and `<name>…</name>` out, wherever they stand.
fn remove(text: &mut String, name: &str) {
    let close = format!("</{name}>");
    let last_close = text.rfind(&close);
    replace(text, name, "", |text, after| {
        let start = after - name.len();
        if !text[..start].ends_with('<') {
            return attribute(text, start, after);
        }
        let rest = &text[after..];
        if !rest.starts_with(['>', '/', ' ', '\n', '\r', '\t']) {
            return None;
        }
        let tag = rest.find(['<', '>']).filter(|end| rest[*end..].starts_with('>'))?;
        if rest[..tag].ends_with('/') {
            return Some(start - 1..after + tag + 1);
        }
        // Sought only where there is one: each of many tags that are never closed would be sought to the end of the packet.
        last_close.filter(|last| *last >= after)?;
        rest.find(&close).map(|end| start - 1..after + end + close.len())
    });
}

/// Where the attribute stands whose name is at `start..after`, if it is one.
fn attribute(text: &str, start: usize, after: usize) -> Option<Range<usize>> {
    if !text[..start].ends_with(char::is_whitespace) {
        return None;
    }
    let value = text[after..].trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = &value[1..];
    // No attribute has a `<` in it.
    let end = inner.find([quote, '<']).filter(|end| inner[*end..].starts_with(quote))?;
    Some(start..text.len() - inner.len() + end + 1)
}

/// Replaces by `with` what `place` finds; it is given the packet and where a `name` in it ends. Each byte is copied once: a hostile
/// packet of millions of names takes no longer than any other.
fn replace(text: &mut String, name: &str, with: &str, place: impl Fn(&str, usize) -> Option<Range<usize>>) {
    let source = text.as_str();
    let mut out = String::new();
    let (mut kept, mut from) = (0, 0);
    while let Some(found) = source[from..].find(name) {
        from += found + name.len();
        if let Some(Range { start, end }) = place(source, from) {
            out.push_str(&source[kept..start]);
            out.push_str(with);
            (kept, from) = (end, end);
        }
    }
    if kept > 0 {
        out.push_str(&source[kept..]);
        *text = out;
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

    /// They promised a film and a map for HDR screens that were gone.
    #[test]
    fn what_does_not_go_along_is_not_promised() {
        let packet = r#"<rdf:D GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" GCamera:MicroVideo='1' hdrgm:Version = "1.0"
            GCamera:MicroVideoOffset="4022143" dc:title="hdrgm:Version"><hdrgm:Version>1.0</hdrgm:Version><Container:Directory>
            <rdf:Seq><rdf:li><Container:Item Item:Semantic="GainMap" Item:Length="9"/></rdf:li></rdf:Seq></Container:Directory>
            <Container:Directory rdf:resource="x"/></rdf:D>"#;
        let expected = r#"<rdf:D GCamera:MotionPhoto="0" GCamera:MotionPhotoVersion="1" GCamera:MicroVideo='0'
            GCamera:MicroVideoOffset="0" dc:title="hdrgm:Version"></rdf:D>"#;
        let text = String::from_utf8(settle(packet.into()).unwrap()).unwrap();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("> <", "><");
        assert_eq!(words(&text), words(expected));
    }

    /// The result pointed to a longer part that it did not have.
    #[test]
    fn the_longer_part_is_not_promised() {
        let packet = r#"<rdf:D xmpNote:HasExtendedXMP="0123456789ABCDEF" dc:title="sea"/>"#;
        assert_eq!(settle(packet.into()).unwrap(), br#"<rdf:D  dc:title="sea"/>"#);
    }

    #[test]
    fn what_is_never_closed_stays() {
        for packet in [
            "<Container:Directory>",
            "<xmp:Thumbnails",
            "a hdrgm:Version=\"1",
            "a hdrgm:Version='<b c='",
            "é hdrgm:Version",
            "<hdrgm:VersionX/>",
        ] {
            assert_eq!(settle(packet.into()).unwrap(), packet.as_bytes());
        }
    }

    /// Each removal and each number of another length moved all that stood behind it: minutes for 16 MB.
    #[test]
    fn millions_of_names_take_no_time() {
        for (piece, expected) in [
            ("<xmp:Thumbnails></xmp:Thumbnails>", ""),
            (" hdrgm:Version=''", " "),
            ("tiff:Orientation=99 ", "tiff:Orientation=1 "),
            ("<xmp:Thumbnails>", "<xmp:Thumbnails>"),
            ("<xmp:Thumbnails ", "<xmp:Thumbnails "),
        ] {
            let count = (16 << 20) / piece.len();
            let settled = settle(piece.repeat(count).into_bytes()).unwrap();
            assert!(settled == expected.repeat(count).as_bytes(), "{piece}");
        }
    }
}
