//! Every row of the catalogue: units, sources, ranges, references.

use contract::Micros;
use scenarios::catalog::{
    Basis, Catalogue, CatalogueError, Distribution, Model, Precision, Quality, Stage, StepRow,
};
use sim_core::delay::Delay;
use std::collections::BTreeSet;

fn catalogue() -> &'static Catalogue {
    Catalogue::embedded()
}

#[test]
fn every_gpu_has_positive_figures_and_a_source() {
    for (name, gpu) in catalogue().gpus() {
        let peak = gpu.fp8_tflops.unwrap_or(gpu.fp16_tflops);
        let figures = [gpu.memory.as_gb_f64(), gpu.bandwidth_gb_s, gpu.fp16_tflops];
        assert!(figures.iter().all(|&figure| figure > 0.0), "{name}: {figures:?}");
        assert!(peak >= gpu.fp16_tflops, "{name}: FP8 is not slower than FP16");
        assert!(!gpu.source.is_empty(), "{name} has no source");
    }
}

#[test]
fn no_name_means_two_things() {
    let gpus = catalogue().gpus().iter().flat_map(|(name, gpu)| {
        std::iter::once(name).chain(&gpu.aliases).map(move |alias| (alias.clone(), name.clone()))
    });
    let models = catalogue().models().iter().flat_map(|(name, model)| {
        std::iter::once(name).chain(&model.aliases).map(move |alias| (alias.clone(), name.clone()))
    });
    let mut seen = BTreeSet::new();
    for (alias, name) in gpus.chain(models) {
        assert!(seen.insert(alias.clone()), "`{alias}` of {name} is taken");
    }
}

#[test]
fn every_instance_has_a_price_a_date_a_source_and_a_known_gpu() {
    for (name, instance) in catalogue().instances() {
        assert!(instance.price.0 > 0.0, "{name} has no price");
        assert!(instance.priced.starts_with("20"), "{name}: `{}` is no date", instance.priced);
        assert!(catalogue().instance_source(instance).is_some(), "{name} has no source");
        assert_eq!(instance.gpu.is_some(), instance.gpus > 0, "{name}: GPUs without a model");
        if let Some(gpu) = &instance.gpu {
            assert!(catalogue().gpus().contains_key(gpu), "{name}: unknown GPU `{gpu}`");
        }
        assert_eq!(instance.spot_price.is_some(), instance.spot_basis.is_some(), "{name}");
        if let Some(spot) = instance.spot_price {
            assert!(0.0 < spot.0 && spot <= instance.price, "{name}: spot price {spot}");
        }
        if let Some(band) = instance.spot_interrupted_monthly {
            assert!((0.0..1.0).contains(&band.reclaims_per_hour()), "{name}");
        }
    }
}

#[test]
fn pods_get_less_than_the_whole_instance_and_more_than_half() {
    for (name, instance) in catalogue().instances() {
        let allocatable = instance.allocatable();
        let cpu = u64::from(instance.vcpu) * 1000;
        assert!(allocatable.cpu.0 < cpu && cpu < 2 * allocatable.cpu.0, "{name}: {allocatable}");
        let memory = instance.memory;
        assert!(allocatable.memory < memory, "{name}: {allocatable}");
        assert!(memory.0 < 3 * allocatable.memory.0, "{name}: {allocatable}");
    }
}

#[test]
fn every_gpu_that_people_serve_on_can_be_rented() {
    let rented: BTreeSet<_> =
        catalogue().instances().values().filter_map(|instance| instance.gpu.as_deref()).collect();
    for gpu in [
        "T4",
        "L4",
        "A10G",
        "L40S",
        "A100-40GB-SXM",
        "A100-80GB-SXM",
        "H100-80GB-SXM",
        "H200-141GB-SXM",
        "B200-SXM",
        "MI300X",
    ] {
        assert!(rented.contains(gpu), "no instance with {gpu}");
    }
    for cloud in ["aws", "gcp", "azure"] {
        let without_gpu = |(_, instance): &(&String, &scenarios::catalog::Instance)| {
            instance.provider == cloud && instance.gpus == 0
        };
        assert!(catalogue().instances().iter().any(|row| without_gpu(&row)), "no CPU in {cloud}");
    }
}

#[test]
fn every_instance_starts_on_one_platform_by_default() {
    for (name, instance) in catalogue().instances() {
        let platforms = catalogue().platforms().values();
        let fitting = platforms.filter(|platform| platform.is_default_for(instance));
        assert_eq!(fitting.count(), 1, "{name} starts on one platform by default");
    }
}

#[test]
fn every_platform_names_delays_of_the_right_stage() {
    for (name, platform) in catalogue().platforms() {
        let stages = [
            (&platform.launch, Stage::Launch),
            (&platform.boot, Stage::Boot),
            (&platform.register, Stage::Register),
            (&platform.accelerator, Stage::Accelerator),
            (&platform.terminate, Stage::Terminate),
        ];
        for (delay, stage) in stages {
            let row = catalogue().delay(delay);
            assert_eq!(row.map(|row| row.stage), Some(stage), "{name}: `{delay}`");
        }
        assert!(platform.spot_notice > Micros::ZERO, "{name}");
        let rate = platform.reclaims_per_hour.unwrap_or(0.0);
        assert!((0.0..1.0).contains(&rate), "{name}: {rate} reclaims an hour");
    }
}

#[test]
fn every_delay_can_be_drawn_and_has_a_source() {
    let (_, model) = catalogue().model("Llama-3.1-8B").expect("in the catalogue");
    for (name, row) in catalogue().delays() {
        assert!(!row.source.is_empty(), "{name} has no source");
        let delay =
            row.takes.resolve(Some(model)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let typical = delay.typical();
        let zero = row.takes == Distribution::Fixed(Micros::ZERO);
        assert!(zero || Micros::from_millis(10) < typical, "{name}: {typical}");
        assert!(typical < Micros::from_mins(30), "{name}: {typical}");
    }
}

#[test]
fn engine_start_depends_on_the_model() {
    let start = |model: &str| {
        let (_, model) = catalogue().model(model).expect("in the catalogue");
        let row = catalogue().delay("vllm-engine-empty-cache").expect("in the catalogue");
        row.takes.resolve(Some(model)).expect("in range").typical()
    };
    // 7.04 + 0.655 × 32 layers + 0.153 × 8.03 s, against 34 to 39 s measured elsewhere.
    assert_eq!(start("Llama-3.1-8B"), Micros(29_228_590));
    assert!(start("Llama-3.1-70B") > start("Llama-3.1-8B"));
}

#[test]
fn every_model_has_weights_and_cache_in_the_same_formats() {
    for (name, model) in catalogue().models() {
        let formats: Vec<_> = model.weights.keys().collect();
        let cached: Vec<_> = model.kv_bytes_per_token.keys().collect();
        assert!(!formats.is_empty() && formats == cached, "{name}: {formats:?} and {cached:?}");
        let active = model.active_parameters.unwrap_or(model.parameters);
        assert!(0.0 < active && active <= model.parameters, "{name}: {active} active");
        assert!(!model.source.is_empty(), "{name} has no source");
        check_bytes_per_parameter(name, model);
    }
}

#[track_caller]
fn check_bytes_per_parameter(name: &str, model: &Model) {
    for (&precision, weights) in &model.weights {
        let found = weights.as_gb_f64() * 1e9 / model.parameters;
        let expected = match precision {
            Precision::Bf16 | Precision::Fp16 => 2.0,
            Precision::Fp8 => 1.0,
            // A scale for each 32 values, and some layers kept wider.
            Precision::Fp4 => 0.57,
        };
        assert!((found / expected - 1.0).abs() < 0.06, "{name} {precision}: {found} bytes each");
    }
}

#[test]
fn every_step_row_is_known_sourced_rising_and_positive() {
    let rows = catalogue().step_rows();
    // 220 published rows of quality A and B; 13 pairs of them are one row here.
    assert_eq!(rows.len(), 207);
    for row in rows {
        let name = format!("{} {} tp{} {}", row.model, row.gpu, row.tp, row.precision);
        assert!(catalogue().models().contains_key(&row.model), "{name}: unknown model");
        assert!(catalogue().gpus().contains_key(&row.gpu), "{name}: unknown GPU");
        assert!(catalogue().row_source(row).is_some(), "{name} has no source");
        assert!(rises(&row.decode_ms) && rises(&row.prefill_ms), "{name}: tables rise");
        assert!(row.decode_ms.len() >= 2, "{name}: a table has two points");
        assert!(row.kv_ms_per_token.is_none_or(|time| time > 0.0), "{name}");
        assert!(row.chunk_context_ms.is_none_or(|time| time >= 0.0), "{name}");
    }
}

fn rises(table: &[(u32, f64)]) -> bool {
    let first_column = table.windows(2).all(|pair| pair[0].0 < pair[1].0);
    first_column && table.iter().all(|&(_, time)| time > 0.0 && time < 1e5)
}

#[test]
fn every_step_row_gives_a_step_model_unless_it_does_not_fit() {
    let does_not_fit: Vec<_> = catalogue().step_rows().iter().filter(|row| !fits(row)).collect();
    // All published rows leave room for some cache by the capacity rule.
    assert!(does_not_fit.is_empty(), "{does_not_fit:?}");
}

#[track_caller]
fn fits(row: &StepRow) -> bool {
    let figures = catalogue().llm_figures(&row.model, &row.gpu, row.tp, row.precision);
    match figures {
        Ok(figures) => {
            sim_core::llm::StepModel::new(&figures.steps);
            matches!(figures.basis, Basis::Measured(_))
        }
        Err(CatalogueError::DoesNotFit { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn capacity_agrees_with_the_published_estimates_within_one_percent() {
    let check = |model, gpu, tp, precision, published: f64| {
        let figures = catalogue().llm_figures(model, gpu, tp, precision).expect("has a row");
        let tokens = u32::try_from(figures.kv_capacity_tokens).expect("small");
        let off = f64::from(tokens) / published - 1.0;
        assert!(off.abs() < 0.01, "{model} on {gpu}: {tokens} against {published}");
    };
    check("Llama-3.1-8B", "H100-80GB-SXM", 1, Precision::Bf16, 411_529.0);
    check("Llama-3.1-8B", "L40S", 1, Precision::Bf16, 192_000.0);
    check("Llama-3.1-70B", "H100-80GB-SXM", 4, Precision::Bf16, 423_583.0);
    check("Llama-3.1-70B", "H100-80GB-SXM", 2, Precision::Fp8, 423_582.0);
}

#[test]
fn names_of_other_sources_lead_to_the_same_row() {
    let ours = catalogue().llm_figures("Llama-3.1-8B", "H100-80GB-SXM", 1, Precision::Bf16);
    for (model, gpu, precision) in [
        ("meta-llama/Meta-Llama-3.1-8B", "H100-SXM-80", "bf16"),
        ("meta-llama/Llama-3.1-8B-Instruct", "h100_sxm", "FP16"),
    ] {
        let precision = precision.parse().expect("a precision");
        assert_eq!(catalogue().llm_figures(model, gpu, 1, precision), ours);
    }
    assert_eq!(ours.expect("has a row").basis, Basis::Measured(Quality::A));
}

#[test]
fn a_gpu_without_a_row_gets_an_estimate_that_says_so() {
    let figures = catalogue()
        .llm_figures("Llama-3.1-8B", "L4", 1, Precision::Bf16)
        .expect("a dense model fits");
    assert_eq!(figures.basis, Basis::Estimate);
    // 16.1 GB at 70 % of 300 GB/s.
    assert!((figures.steps.decode_ms[0].1 - 76.67).abs() < 0.01, "{:?}", figures.steps.decode_ms);
}

#[test]
fn what_the_catalogue_cannot_answer_is_an_error() {
    let check = |model, gpu, tp, precision, expected: &str| {
        let found = catalogue().llm_figures(model, gpu, tp, precision);
        assert_eq!(found.map_err(|error| error.to_string()).err().as_deref(), Some(expected));
    };
    check("GPT-2", "L4", 1, Precision::Bf16, "the catalogue has no model `GPT-2`");
    check("Qwen3-8B", "L400", 1, Precision::Bf16, "the catalogue has no GPU `L400`");
    check(
        "Qwen3-8B",
        "L4",
        1,
        Precision::Fp4,
        "the catalogue has no fp4 weights of `Qwen3-8B`, only `bf16`",
    );
    check(
        "Llama-3.1-8B",
        "T4",
        1,
        Precision::Bf16,
        "`Llama-3.1-8B` in bf16 does not fit into 1 × `T4`",
    );
    check(
        "gpt-oss-20b",
        "L4",
        1,
        Precision::Fp4,
        "no step times of `gpt-oss-20b` in fp4 on 1 × `L4`, and estimates hold for dense models only",
    );
}

#[test]
fn a_distribution_out_of_range_is_an_error() {
    let check = |distribution: Distribution, expected: &str| {
        let found: Result<Delay, _> = distribution.resolve(None);
        assert_eq!(found.map_err(|error| error.to_string()).err().as_deref(), Some(expected));
    };
    let (low, high) = (Micros::from_secs(2), Micros::from_secs(1));
    check(
        Distribution::Uniform { low, high },
        "found `low` 2s above `high` 1s, expected `low` at most `high`",
    );
    check(Distribution::Gamma { shape: 0.0, mean: low }, "found `shape` 0, expected more than 0");
    check(
        Distribution::Lognormal { median: low, sigma: -0.1 },
        "found `sigma` -0.1, expected 0 to 10",
    );
}
