//! Our operations give what burn's own give, forward and backward.

use burn::nn::GateController;
use burn::nn::Linear;
use burn::nn::gru::GruConfig;
use burn::tensor::{Device, Tensor};
use latentd_train::layers::Init;
use latentd_train::ops::convolution::plain;
use latentd_train::ops::gru::{GruWeights, gru_bands_plain};
use latentd_train::ops::{self, Sweep};

/// Largest difference over the largest value.
fn relative<const D: usize>(ours: &Tensor<D>, burns: &Tensor<D>) -> f32 {
    let largest = burns.clone().abs().max().into_scalar::<f32>();
    (ours.clone() - burns.clone()).abs().max().into_scalar::<f32>() / largest
}

#[test]
fn convolutions_and_their_gradients_equal_burns() {
    let device = Device::flex().autodiff();
    // (channels in, out, height, width, kernel, stride, padding)
    let cases = [(3, 32, 17, 19, 3, 1, 1), (32, 48, 16, 24, 3, 1, 1), (12, 8, 10, 14, 2, 2, 0), (5, 7, 9, 9, 1, 1, 0)];
    for (seed, (channels_in, channels_out, height, width, kernel, stride, padding)) in cases.into_iter().enumerate() {
        for relu in [false, true] {
            let mut init = Init::new(seed as u64, &device);
            let x = init.normal([3, channels_in, height, width], 1.0).val();
            let weight = init.normal([channels_out, channels_in, kernel, kernel], 0.3).val();
            let bias = init.normal([channels_out], 1.0).val();
            let sweep = Sweep { stride, padding, relu };
            let ours = ops::conv2d(x.clone(), weight.clone(), bias.clone(), sweep);
            let burns = plain::conv2d(x.clone(), weight.clone(), bias.clone(), sweep);
            assert!(relative(&ours, &burns) < 1e-5);

            let pull = init.normal(ours.dims(), 1.0).val();
            let ours = (ours * pull.clone()).sum().backward();
            let burns = (burns * pull).sum().backward();
            let gradient = |of: &Tensor<4>| relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's"));
            assert!(gradient(&x) < 1e-4 && gradient(&weight) < 1e-4);
            assert!(relative(&bias.grad(&ours).expect("ours"), &bias.grad(&burns).expect("burn's")) < 1e-4);
        }
    }
}

#[test]
fn a_residual_gets_its_gradient() {
    let device = Device::flex().autodiff();
    for relu in [false, true] {
        let mut init = Init::new(7, &device);
        let x = init.normal([2, 16, 12, 10], 1.0).val();
        let residual = init.normal([2, 16, 12, 10], 1.0).val();
        let weight = init.normal([16, 16, 3, 3], 0.3).val();
        let bias = init.normal([16], 1.0).val();
        let sweep = Sweep { stride: 1, padding: 1, relu };
        let ours = ops::conv2d_residual(x.clone(), weight.clone(), bias.clone(), residual.clone(), sweep);
        let burns = plain::conv2d_residual(x.clone(), weight.clone(), bias.clone(), residual.clone(), sweep);
        assert!(relative(&ours, &burns) < 1e-5);
        let (ours, burns) = (ours.square().sum().backward(), burns.square().sum().backward());
        for of in [&x, &residual, &weight] {
            assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's")) < 1e-4);
        }
    }
}

#[test]
fn transposed_convolutions_and_their_gradients_equal_burns() {
    let device = Device::flex().autodiff();
    let mut init = Init::new(3, &device);
    let x = init.normal([3, 24, 7, 9], 1.0).val();
    let weight = init.normal([24, 10, 2, 2], 0.3).val();
    let bias = init.normal([10], 1.0).val();
    let ours = ops::conv_transpose2x2(x.clone(), weight.clone(), bias.clone());
    let burns = plain::conv_transpose2x2(x.clone(), weight.clone(), bias.clone());
    assert!(relative(&ours, &burns) < 1e-5);
    let (ours, burns) = (ours.square().sum().backward(), burns.square().sum().backward());
    for of in [&x, &weight] {
        assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's")) < 1e-4);
    }
    assert!(relative(&bias.grad(&ours).expect("ours"), &bias.grad(&burns).expect("burn's")) < 1e-4);
}

/// burn's own layer, its weights side by side, and the gradients of both on the same input.
#[test]
fn a_gru_and_its_gradients_equal_burns() {
    let device = Device::flex().autodiff();
    let (steps, batch, inputs, units) = (5, 3, 6, 7);
    let burns = GruConfig::new(inputs, units, true).init(&device);
    let gates = [&burns.update_gate, &burns.reset_gate, &burns.new_gate];
    let weight = |of: fn(&GateController) -> &Linear| Tensor::cat(gates.map(|gate| of(gate).weight.val()).to_vec(), 1);
    let bias = |of: fn(&GateController) -> &Linear| {
        Tensor::cat(gates.map(|gate| of(gate).bias.as_ref().expect("a bias").val()).to_vec(), 0)
    };
    let leaf = |tensor: Tensor<2>| tensor.detach().require_grad();
    let weights = GruWeights {
        input: leaf(weight(|gate| &gate.input_transform)),
        input_bias: bias(|gate| &gate.input_transform).detach().require_grad(),
        state: leaf(weight(|gate| &gate.hidden_transform)),
        state_bias: bias(|gate| &gate.hidden_transform).detach().require_grad(),
    };
    let mut init = Init::new(2, &device);
    let x = init.normal([steps, batch, inputs], 1.0).val();
    let h = init.normal([batch, units], 1.0).val();
    let pull = init.normal([steps, batch, units], 1.0).val().detach();

    let ours = ops::gru(x.clone(), h.clone(), weights.clone());
    let theirs = burns.forward(x.clone().swap_dims(0, 1), Some(h.clone())).swap_dims(0, 1);
    assert!(relative(&ours, &theirs) < 1e-5);
    let ours = (ours * pull.clone()).sum().backward();
    let theirs = (theirs * pull).sum().backward();
    assert!(relative(&x.grad(&ours).expect("ours"), &x.grad(&theirs).expect("burn's")) < 1e-4);
    assert!(relative(&h.grad(&ours).expect("ours"), &h.grad(&theirs).expect("burn's")) < 1e-4);
    let cat = |of: fn(&GateController) -> &Linear| {
        Tensor::cat(gates.map(|gate| of(gate).weight.val().grad(&theirs).expect("burn's")).to_vec(), 1)
    };
    let cat_bias = |of: fn(&GateController) -> &Linear| {
        let of = |gate| of(gate).bias.as_ref().expect("a bias").val().grad(&theirs).expect("burn's");
        Tensor::cat(gates.map(of).to_vec(), 0)
    };
    assert!(relative(&weights.input.grad(&ours).expect("ours"), &cat(|gate| &gate.input_transform)) < 1e-4);
    assert!(relative(&weights.state.grad(&ours).expect("ours"), &cat(|gate| &gate.hidden_transform)) < 1e-4);
    assert!(relative(&weights.input_bias.grad(&ours).expect("ours"), &cat_bias(|gate| &gate.input_transform)) < 1e-4);
    assert!(relative(&weights.state_bias.grad(&ours).expect("ours"), &cat_bias(|gate| &gate.hidden_transform)) < 1e-4);
}

/// Steps that fill no whole block of steps, and ones that do; bands of their own states.
#[test]
fn a_gru_over_bands_and_its_gradients_equal_those_of_sequences() {
    let device = Device::flex().autodiff();
    for (clips, inputs, units, steps, bands) in [(3, 6, 7, 21, 5), (2, 16, 16, 32, 32), (1, 4, 8, 1, 3)] {
        let mut init = Init::new(11, &device);
        let x = init.normal([clips, inputs, steps, bands], 1.0).val();
        let weights = GruWeights {
            input: init.normal([inputs, 3 * units], 0.4).val(),
            input_bias: init.normal([3 * units], 0.4).val(),
            state: init.normal([units, 3 * units], 0.4).val(),
            state_bias: init.normal([3 * units], 0.4).val(),
        };
        let pull = init.normal([clips, units, steps, bands], 1.0).val().detach();
        let ours = ops::gru_bands(x.clone(), weights.clone());
        let plain = gru_bands_plain(x.clone(), weights.clone());
        assert!(relative(&ours, &plain) < 1e-5);
        let (ours, plain) = ((ours * pull.clone()).sum().backward(), (plain * pull).sum().backward());
        assert!(relative(&x.grad(&ours).expect("ours"), &x.grad(&plain).expect("plain")) < 1e-4);
        for of in [&weights.input, &weights.state] {
            assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&plain).expect("plain")) < 1e-4);
        }
        for of in [&weights.input_bias, &weights.state_bias] {
            assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&plain).expect("plain")) < 1e-4);
        }
    }
}

#[test]
fn convolutions_along_rows_equal_burns() {
    let device = Device::flex().autodiff();
    let mut init = Init::new(4, &device);
    let x = init.normal([2, 16, 12, 32], 1.0).val();
    let weight = init.normal([24, 16, 1, 3], 0.3).val();
    let bias = init.normal([24], 1.0).val();
    let sweep = Sweep { stride: 1, padding: 1, relu: true };
    let ours = ops::conv2d(x.clone(), weight.clone(), bias.clone(), sweep);
    let burns = plain::conv2d(x.clone(), weight.clone(), bias.clone(), sweep);
    assert_eq!(ours.dims(), [2, 24, 12, 32]);
    assert!(relative(&ours, &burns) < 1e-5);
    let (ours, burns) = (ours.square().sum().backward(), burns.square().sum().backward());
    for of in [&x, &weight] {
        assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's")) < 1e-4);
    }
}
