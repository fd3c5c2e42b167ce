//! Files of latents: what is written is what is read, and what a stranger writes is refused in words.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::File;

use latentd::media::Latent;
use latentd::media::latent::{LatentFormat, read_latents, write_latents};
use latentd::media::melody::Frame;
use proptest::prelude::*;

fn round(latents: &[Latent], format: LatentFormat, ending: &str) -> Vec<Latent> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z").with_extension(ending);
    let mut file = File::create(&path).unwrap();
    write_latents(latents, format, &mut file).unwrap();
    read_latents(File::open(&path).unwrap(), &path).unwrap()
}

fn latents() -> impl Strategy<Value = Vec<Latent>> {
    (1usize..6).prop_flat_map(|size| {
        let value = prop_oneof![(-1e6f32..1e6).boxed(), Just(0.1).boxed(), Just(-0.0).boxed(), Just(1e-40).boxed()];
        let piece = (prop::collection::vec(prop::collection::vec(value, size), 1..4), "[a-z ,\"\n/äß]{1,12}");
        prop::collection::vec(piece, 1..6).prop_map(move |pieces| {
            let latent = |(rows, source): (Vec<Vec<f32>>, String)| Latent {
                values: rows.concat(),
                size,
                model: "a-model".into(),
                source: Some(source),
                frame: None,
            };
            pieces.into_iter().map(latent).collect()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(latents in latents()) {
        for (format, ending) in LatentFormat::ALL {
            let found = round(&latents, format, ending);
            if format == LatentFormat::Npy {
                // Numbers only: every row becomes a piece of its own, of no model.
                let values = |latents: &[Latent]| latents.iter().flat_map(|l| l.values.clone()).collect::<Vec<f32>>();
                prop_assert_eq!(values(&found), values(&latents));
            } else {
                prop_assert_eq!(&found, &latents);
            }
        }
    }

    #[test]
    fn strangers_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..4, cut in 0usize..200, flip in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        let (format, ending) = LatentFormat::ALL[at];
        let path = folder.path().join("z").with_extension(ending);
        std::fs::write(&path, &bytes).unwrap();
        let _ = read_latents(File::open(&path).unwrap(), &path);
        // A good file, cut off or with one byte changed.
        let values = vec![1.0, 2.0, 3.0, 4.0];
        let good = [Latent { values, size: 2, model: "m".into(), source: Some("s".into()), frame: Some(frame()) }];
        let mut written = Vec::new();
        write_latents(&good, format, &mut written).unwrap();
        let mut changed = written.clone();
        let place = cut % changed.len();
        changed[place] ^= flip;
        written.truncate(place);
        for bytes in [written, changed] {
            std::fs::write(&path, &bytes).unwrap();
            let _ = read_latents(File::open(&path).unwrap(), &path);
        }
    }
}

/// Two bars of 3/4, and one of 6/8.
fn frame() -> Frame {
    Frame { steps: 36, ticks: 480, tempos: vec![(0, 400_000), (960, 600_000)], meters: vec![(0, 3, 4), (2880, 6, 8)] }
}

/// Meter and tempo of a melody were lost on the way through any file.
#[test]
fn frames_are_kept_where_the_format_has_room_for_them() {
    let latent = |frame| Latent { values: vec![1.0, 2.0], size: 1, model: "m".into(), source: None, frame };
    let both = [latent(Some(frame())), latent(None)];
    for (format, ending) in LatentFormat::ALL {
        let found = round(&both, format, ending);
        let frames: Vec<_> = found.iter().filter_map(|latent| latent.frame.clone()).collect();
        assert_eq!(frames, if format.has_frames() { vec![frame()] } else { vec![] }, "{ending}");
    }
    // Files without any are older.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z.jsonl");
    std::fs::write(&path, r#"{"source":"a.mid","model":"m","row":0,"values":[1.0]}"#).unwrap();
    assert_eq!(read_latents(File::open(&path).unwrap(), &path).unwrap()[0].frame, None);
}

#[test]
fn a_frame_that_tells_no_piece_is_none() {
    assert_eq!(frame().piece().map(|piece| Frame::of(&piece, 36)), Some(frame()));
    let wrong: [fn(&mut Frame); 10] = [
        |frame| frame.steps = 0,
        |frame| frame.steps = usize::MAX,
        |frame| frame.ticks = 0,
        |frame| frame.ticks = u16::MAX,
        |frame| frame.tempos.clear(),
        |frame| frame.tempos[1].0 = 0,
        |frame| frame.tempos[0].1 = 0,
        |frame| frame.meters[0].1 = 0,
        |frame| frame.meters[0].2 = 3,
        |frame| frame.meters[1].0 = u64::MAX,
    ];
    for (at, change) in wrong.iter().enumerate() {
        let mut stranger = frame();
        change(&mut stranger);
        assert_eq!(stranger.piece(), None, "{at}: {stranger:?}");
    }
}

#[test]
fn numpys_own_file_is_read() {
    // numpy.save of numpy.array([[1, 2], [3, 4.5]], dtype=float32), version 1.0 of the format.
    let mut bytes = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }".to_vec();
    bytes.resize(127, b' ');
    bytes.push(b'\n');
    bytes.extend([1f32, 2.0, 3.0, 4.5].iter().flat_map(|v| v.to_le_bytes()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z.npy");
    std::fs::write(&path, bytes).unwrap();
    let found = read_latents(File::open(&path).unwrap(), &path).unwrap();
    assert_eq!(found.iter().map(|l| l.values.clone()).collect::<Vec<_>>(), [vec![1.0, 2.0], vec![3.0, 4.5]]);
}

#[test]
fn a_header_that_lies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z.npy");
    let mut bytes =
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999), }".to_vec();
    bytes.resize(127, b' ');
    bytes.push(b'\n');
    std::fs::write(&path, bytes).unwrap();
    let error = read_latents(File::open(&path).unwrap(), &path).unwrap_err();
    assert_eq!(error.kind(), latentd::Kind::Input, "{error}");
    let path = folder.path().join("z.csv");
    std::fs::write(&path, "source,model,row,z0\na,m,0,1\na,m,2,1\n").unwrap();
    let error = read_latents(File::open(&path).unwrap(), &path).unwrap_err();
    assert!(error.to_string().contains("row 2 does not follow"), "{error}");
}

/// The source's `max_size` held for pictures alone, and each number of a file could become a latent of its own.
#[test]
fn what_is_larger_than_allowed_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.npy");
    let mut bytes = b"\x93NUMPY\x01\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (3000000, 1), }".to_vec();
    bytes.resize(127, b' ');
    bytes.push(b'\n');
    bytes.resize(128 + 12_000_000, 0);
    std::fs::write(&path, &bytes).unwrap();
    let error = read_latents(File::open(&path).unwrap(), &path).unwrap_err();
    assert!(error.to_string().contains("latents") && error.mend_text().is_some(), "{error}");
    let limits = latentd::media::image::Limits { max_bytes: 1 << 20, ..Default::default() };
    for (kind, name) in [(latentd::media::MediaKind::Latent, "many.npy"), (latentd::media::MediaKind::Melody, "a.mid")]
    {
        std::fs::write(folder.path().join(name), &bytes).unwrap();
        let path = folder.path().join(name);
        let error = latentd::media::read(kind, File::open(&path).unwrap(), &path, &limits).unwrap_err();
        assert!(error.to_string().contains("the limit is 1048576"), "{error}");
    }
}

/// A safetensors file of `rows` points of one number.
fn safetensors(model: &str, pieces: &str, rows: usize) -> Vec<u8> {
    let header = serde_json::json!({
        "__metadata__": { "model": model, "pieces": pieces },
        "latents": { "dtype": "F32", "shape": [rows, 1], "data_offsets": [0, rows * 4] },
    });
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.resize(bytes.len() + rows * 4, 0);
    bytes
}

fn refused(name: &str, bytes: &[u8], why: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = read_latents(File::open(&path).unwrap(), &path).unwrap_err();
    assert_eq!(error.kind(), latentd::Kind::Input, "{error}");
    assert!(error.to_string().contains(why) && error.mend_text().is_some(), "{name}: {error}");
}

/// 1.3 MB became 8 GB: each piece got a copy of a name of 1 MB.
#[test]
fn a_models_name_is_no_longer_than_a_folders() {
    let pieces = format!("[{}]", vec![r#"{"rows":1}"#; 8000].join(","));
    refused("z.safetensors", &safetensors(&"m".repeat(1_000_000), &pieces, 8000), "the limit is 255");
    let good = safetensors(&"m".repeat(255), &pieces, 8000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z.safetensors");
    std::fs::write(&path, good).unwrap();
    assert_eq!(read_latents(File::open(&path).unwrap(), &path).unwrap().len(), 8000);
    let long = "m".repeat(256);
    refused("z.csv", format!("source,model,row,z0\na,{long},0,1\n").as_bytes(), "the limit is 255");
    refused("z.jsonl", format!(r#"{{"model":"{long}","values":[1]}}"#).as_bytes(), "the limit is 255");
}

/// Only where they were not told was their number looked at.
#[test]
fn pieces_that_are_told_are_counted_as_well() {
    let count = (1 << 21) + 1;
    let pieces = format!("[{}]", vec![r#"{"rows":1}"#; count].join(","));
    refused("z.safetensors", &safetensors("m", &pieces, count), "a file of more than 2097152 latents");
}

/// npyz took 4 GiB for a file of 13 bytes; and brackets within brackets cost its parser the stack.
#[test]
fn an_arrays_header_is_no_longer_than_its_file() {
    refused("z.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff ", "a header of 4294967295 bytes");
    refused("z.npy", b"\x93NUMPY\x02\x00\xff\x1f\x00\x00 ", "ends within its header");
    refused("z.npy", b"\x93NUMPY\x01\x00\x76", "ends within its header");
    let mut deep = b"\x93NUMPY\x02\x00\x00\x27\x00\x00".to_vec();
    deep.resize(12 + 0x2700, b'(');
    refused("z.npy", &deep, "no description of a table");
}

/// It was repeated in the message, whole and as it was.
#[test]
fn a_strangers_text_is_cut_and_escaped_in_messages() {
    let long = "\u{1b}[2J".repeat(100_000);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.csv", format!("source,model,row,z0\na,m,{long},1\n")),
        ("b.csv", format!("source,model,row,z0\na,m,0,{long}\n")),
        ("c.jsonl", format!(r#"{{"{}":1}}"#, long.replace('\u{1b}', "\\u001b"))),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let told = read_latents(File::open(&path).unwrap(), &path).unwrap_err().to_string();
        assert!(told.len() < 5_000 && !told.contains('\u{1b}') && told.contains("\\u{1b}[2J"), "{name}: {told}");
    }
}
