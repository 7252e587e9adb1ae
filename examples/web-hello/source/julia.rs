//! Draws Julia sets, four pixels at a time. It needs no standard library and no imports. The page calls `render` and
//! reads the pixels from its memory.
//!
//! Build: rustc --edition 2024 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=3 -C strip=symbols \
//!   -C panic=abort -C target-feature=+simd128 -o app.wasm source/julia.rs

#![no_std]

use core::arch::wasm32::*;

const MAX_PIXELS: usize = 1920 * 1200;
const MAX_ITERATIONS: u32 = 160;
/// Far outside the set, so that the colours change smoothly.
const ESCAPE: f32 = 64.0;

static mut PIXELS: [u32; MAX_PIXELS + 4] = [0; MAX_PIXELS + 4];

/// Red, green and blue, from the edge of the picture to the border of the set.
const COLOURS: [[f32; 3]; 7] = [
    [9.0, 10.0, 32.0],
    [24.0, 36.0, 104.0],
    [38.0, 98.0, 190.0],
    [92.0, 190.0, 226.0],
    [250.0, 240.0, 205.0],
    [246.0, 160.0, 64.0],
    [142.0, 42.0, 80.0],
];

#[unsafe(no_mangle)]
pub extern "C" fn pixels() -> *const u32 {
    &raw const PIXELS as *const u32
}

/// Draws z² + c around 0; `span` is the height of the picture. Returns the number of evaluations of the formula.
#[unsafe(no_mangle)]
pub extern "C" fn render(width: u32, height: u32, cx: f32, cy: f32, span: f32) -> f64 {
    let (width, height) = (width as usize, height as usize);
    if width == 0 || height == 0 || width * height > MAX_PIXELS {
        return 0.0;
    }
    let step = span / height as f32;
    let (left, top) = (-0.5 * step * (width - 1) as f32, -0.5 * step * (height - 1) as f32);
    let mut evaluations = 0;
    // The set is symmetric under rotation by 180 degrees: only the upper half is computed.
    for y in 0..height.div_ceil(2) {
        for x in (0..width).step_by(4) {
            let x0 = left + step * x as f32;
            let re = f32x4(x0, x0 + step, x0 + 2.0 * step, x0 + 3.0 * step);
            let (counts, radii, steps) = iterate(re, f32x4_splat(top + step * y as f32), cx, cy);
            evaluations += steps as u64;
            for lane in 0..usize::min(4, width - x) {
                let colour = shade(counts[lane], radii[lane]);
                // SAFETY: both indexes are below width * height, and there is one thread.
                unsafe {
                    PIXELS[y * width + x + lane] = colour;
                    PIXELS[(height - 1 - y) * width + (width - 1 - x - lane)] = colour;
                }
            }
        }
    }
    evaluations as f64
}

/// Returns for each pixel the number of steps until it escaped and its radius then, and the sum of all steps.
fn iterate(mut re: v128, mut im: v128, cx: f32, cy: f32) -> ([f32; 4], [f32; 4], u32) {
    let (cx, cy) = (f32x4_splat(cx), f32x4_splat(cy));
    let (one, limit) = (f32x4_splat(1.0), f32x4_splat(ESCAPE));
    let (mut counts, mut radii) = (f32x4_splat(0.0), f32x4_splat(0.0));
    let mut steps = 0;
    for _ in 0..MAX_ITERATIONS {
        let (re2, im2) = (f32x4_mul(re, re), f32x4_mul(im, im));
        let radius = f32x4_add(re2, im2);
        let inside = f32x4_lt(radius, limit);
        // A pixel that has escaped keeps the first radius outside.
        radii = v128_bitselect(radius, radii, v128_or(inside, f32x4_lt(radii, limit)));
        let alive = i32x4_bitmask(inside).count_ones();
        if alive == 0 {
            break;
        }
        steps += alive as u32;
        counts = f32x4_add(counts, v128_and(inside, one));
        im = f32x4_add(f32x4_mul(f32x4_add(re, re), im), cy);
        re = f32x4_add(f32x4_sub(re2, im2), cx);
    }
    (lanes(counts), lanes(radii), steps)
}

fn lanes(v: v128) -> [f32; 4] {
    [
        f32x4_extract_lane::<0>(v),
        f32x4_extract_lane::<1>(v),
        f32x4_extract_lane::<2>(v),
        f32x4_extract_lane::<3>(v),
    ]
}

fn shade(count: f32, radius: f32) -> u32 {
    if radius < ESCAPE {
        return 0xff_18_0a_0a;
    }
    let smooth = count - log2(log2(radius) / log2(ESCAPE));
    let place = 1.0 - 1.0 / (1.0 + 0.055 * if smooth > 0.0 { smooth } else { 0.0 });
    let scaled = place * (COLOURS.len() - 1) as f32;
    let index = usize::min(scaled as usize, COLOURS.len() - 2);
    let part = scaled - index as f32;
    let mix = |channel: usize| {
        let (from, to) = (COLOURS[index][channel], COLOURS[index + 1][channel]);
        (from + (to - from) * part) as u32
    };
    0xff00_0000 | mix(2) << 16 | mix(1) << 8 | mix(0)
}

/// Accurate to 0.01. It adds the exponent and a parabola through the mantissa.
fn log2(value: f32) -> f32 {
    let bits = value.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let mantissa = f32::from_bits(bits & 0x7f_ffff | 0x3f80_0000);
    exponent as f32 + (-0.344_845 * mantissa + 2.024_658) * mantissa - 1.674_877
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unreachable()
}
