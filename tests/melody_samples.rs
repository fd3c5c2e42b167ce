//! Tunes that nobody made are like those that the models learnt from.
#![allow(clippy::unwrap_used)]

mod melody_common;

use latentd::media::{Latent, Media};
use latentd::model::Draws;
use latentd::stage::codec::{Codec, MelodyCodec};
use melody_common::model;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The largest share of a tune's notes in one major scale, on average over `count` draws.
fn in_key(name: &str, draws: &Draws, count: usize) -> f64 {
    let codec = MelodyCodec::open(&model(name)).unwrap();
    let mut rng = StdRng::seed_from_u64(5);
    let mut total = 0.0;
    for _ in 0..count {
        let values = draws.draw(rng.random(), || StandardNormal.sample(&mut rng));
        let latent = Latent { size: codec.space().size, values, model: name.to_owned(), source: None, frame: None };
        let Media::Melody(tune) = codec.decode(&latent).unwrap() else { panic!("a melody") };
        let mut classes = [0usize; 12];
        tune.voices.iter().flat_map(|voice| &voice.notes).for_each(|note| classes[usize::from(note.pitch) % 12] += 1);
        let scale =
            |tonic: usize| [0, 2, 4, 5, 7, 9, 11].iter().map(|tone| classes[(tonic + tone) % 12]).sum::<usize>();
        let best = (0..12).map(scale).max().unwrap_or(0);
        total += best as f64 / classes.iter().sum::<usize>().max(1) as f64;
    }
    total / count as f64
}

#[test]
fn samples_keep_to_a_key_where_draws_of_the_prior_do_not() {
    for (name, count) in [("melody-2bar", 150), ("melody-16bar", 20)] {
        let model = model(name);
        let fitted = Draws::of(&model).unwrap();
        assert!(fitted.fitted(), "{name} carries its draws");
        let prior = Draws::new(model.card.latent.as_ref().unwrap().size, Vec::new());
        let (fitted, prior) = (in_key(name, &fitted, count), in_key(name, &prior, count));
        assert!(fitted > 0.96 && fitted > prior + 0.01, "{name}: {fitted} of the notes, of the prior {prior}");
    }
}
