//! Pools: instance types with prices, zones and the stages of a node's start.

use super::instance_labels::instance_labels;
use super::{Check, node_labels};
use crate::catalog::{Instance, InterruptionBand, Platform, Stage};
use crate::document::{KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{self, DelaySetting, Pool, Spot, StandbyPool, StandbyState};
use contract::{Daemons, NodeShape, Sharing, UsdPerHour};
use indexmap::IndexMap;
use sim_core::spec::{
    DataPathSpec, NodeStages, PoolSpec, RackSpec, SpotSpec, StandbySpec, StockOut, ZoneSpec,
};
use std::sync::Arc;

/// Pods that a kubelet accepts by default (`--max-pods`).
const POD_LIMIT: u32 = 110;

impl Check<'_> {
    pub(super) fn pools(
        &self,
        pools: &mut IndexMap<String, Pool>,
    ) -> Result<Vec<PoolSpec>, ScenarioError> {
        pools.iter_mut().map(|(name, pool)| self.pool(name, pool)).collect()
    }

    fn pool(&self, name: &str, pool: &mut Pool) -> Result<PoolSpec, ScenarioError> {
        let at = |part: &str| key(["pool", name, part]);
        let instance = self.catalogue.instance(&pool.instance).ok_or_else(|| {
            let known = self.catalogue.instances().keys().map(String::as_str);
            self.unknown(&at("instance"), "instance type", &pool.instance, known)
        })?;
        let initial = self.node_counts(name, pool)?;
        let platform = self.platform(&at("platform"), instance, pool)?;
        let spot = pool.spot.as_mut().map(|spot| self.spot(name, spot, instance, platform));
        let spot = spot.transpose()?;
        let price = self.price(&at("price"), pool, instance)?;
        let standby = pool.standby.as_mut().map(|standby| self.standby(name, standby, instance));
        let (sharing, division) = self.sharing(name, pool, instance)?;
        Ok(PoolSpec {
            name: name.into(),
            instance: pool.instance.as_str().into(),
            shape: Arc::new(shape(name, pool, instance, sharing)),
            price,
            zones: self.zones(name, pool)?,
            stock_out: match pool.stock_out {
                settings::StockOut::Refused => StockOut::Refused,
                settings::StockOut::Waits => StockOut::Waits,
            },
            min: pool.min,
            max: pool.max,
            initial,
            launch_failure: pool.launch_failure.get(),
            accelerator_failure: pool.accelerator_failure.get(),
            spot,
            standby: standby.transpose()?,
            stages: self.stages(name, pool, platform)?,
            data: DataPathSpec {
                pull_per_gb: self.delay(&at("pull"), &pool.pull, Some(Stage::Pull), None)?,
                weights_per_gib: self.delay(
                    &at("weights"),
                    &pool.weights,
                    Some(Stage::Weights),
                    None,
                )?,
                cached_weights_per_gib: self.delay(
                    &at("cached-weights"),
                    &pool.cached_weights,
                    Some(Stage::Weights),
                    None,
                )?,
                image_preloaded: pool.image_preloaded,
            },
            billing_minimum: pool.billing_minimum,
            division,
            racks: pool.racks.map(|racks| RackSpec {
                nodes_per_rack: racks.nodes_per_rack.get(),
                racks_per_block: racks.racks_per_block.get(),
            }),
        })
    }

    /// Minimum, maximum and the count at the start agree. Gives the last.
    fn node_counts(&self, name: &str, pool: &mut Pool) -> Result<u32, ScenarioError> {
        let (min, max) = (pool.min, pool.max);
        if max == 0 || max < min {
            let expected = format!("at least 1 and at least `min`, which is {min}");
            return Err(self.misfit(&key(["pool", name, "max"]), &max.to_string(), &expected));
        }
        let initial = *pool.initial.get_or_insert(min);
        self.initial_nodes(&key(["pool", name, "initial"]), initial, pool)?;
        Ok(initial)
    }

    /// A count of nodes at the start lies between a pool's minimum and maximum, and the cloud has as many.
    pub(super) fn initial_nodes(
        &self,
        key: &KeyPath,
        initial: u32,
        pool: &Pool,
    ) -> Result<(), ScenarioError> {
        let (min, max) = (pool.min, pool.max);
        if !(min..=max).contains(&initial) {
            let expected = format!("from `min` {min} to `max` {max}");
            return Err(self.misfit(key, &initial.to_string(), &expected));
        }
        let stock: Option<u32> = pool.zones.iter().map(|zone| pool.stock.get(zone)).sum();
        match stock {
            Some(stock) if stock < initial => {
                let expected = format!("at most the `stock` of all zones, {stock}");
                Err(self.misfit(key, &initial.to_string(), &expected))
            }
            _ => Ok(()),
        }
    }

    fn platform(
        &self,
        key: &KeyPath,
        instance: &Instance,
        pool: &mut Pool,
    ) -> Result<&'static Platform, ScenarioError> {
        let known = self.catalogue.platforms();
        let names = known.keys().map(String::as_str);
        let default = known.iter().find(|(_, platform)| platform.is_default_for(instance));
        let name = match (&pool.platform, default) {
            (Some(name), _) | (None, Some((name, _))) => name.clone(),
            (None, None) => return Err(self.misfit(key, &instance.provider, "a `platform`")),
        };
        let platform =
            known.get(&name).ok_or_else(|| self.unknown(key, "platform", &name, names))?;
        pool.platform = Some(name);
        Ok(platform)
    }

    /// The price in the scenario, else the catalogue's for this kind of capacity.
    fn price(
        &self,
        key: &KeyPath,
        pool: &mut Pool,
        instance: &Instance,
    ) -> Result<UsdPerHour, ScenarioError> {
        let listed = match &pool.spot {
            None => Some(instance.price),
            Some(_) => instance.spot_price,
        };
        let price = pool.price.or(listed).ok_or_else(|| {
            let problem = format!("found no spot price of `{}`, expected `price`", pool.instance);
            let hint = "the catalogue has none: write one, such as `price = \"1.10 USD/h\"`";
            self.document.error(key, problem, Some(hint.to_owned()))
        })?;
        pool.price = Some(price);
        Ok(price)
    }

    fn spot(
        &self,
        name: &str,
        spot: &mut Spot,
        instance: &Instance,
        platform: &Platform,
    ) -> Result<SpotSpec, ScenarioError> {
        let at = |part: &str| key(["pool", name, "spot", part]);
        let band = instance.spot_interrupted_monthly.map(InterruptionBand::reclaims_per_hour);
        let known = spot.reclaims_per_hour.or(band).or(platform.reclaims_per_hour);
        let reclaims_per_hour = known.ok_or_else(|| {
            let problem = "found no rate of reclaims, expected `reclaims-per-hour`".to_owned();
            let hint = "the catalogue has none for this instance type: write one, such as `0.001`";
            self.document.error(&at("reclaims-per-hour"), problem, Some(hint.to_owned()))
        })?;
        if !(reclaims_per_hour.is_finite() && reclaims_per_hour >= 0.0) {
            let found = reclaims_per_hour.to_string();
            return Err(self.misfit(
                &at("reclaims-per-hour"),
                &found,
                "a rate that is not negative",
            ));
        }
        let notice = spot.notice.unwrap_or(platform.spot_notice);
        *spot = Spot { reclaims_per_hour: Some(reclaims_per_hour), notice: Some(notice) };
        Ok(SpotSpec { reclaims_per_hour, notice })
    }

    fn standby(
        &self,
        name: &str,
        standby: &mut StandbyPool,
        instance: &Instance,
    ) -> Result<StandbySpec, ScenarioError> {
        let table = match self.stack {
            Some((place, stack)) if stack.standby.contains_key(name) => {
                key(["stack", &place.to_string(), "standby", name])
            }
            _ => key(["pool", name, "standby"]),
        };
        let at =
            |part: &str| -> KeyPath { table.iter().cloned().chain([part.to_owned()]).collect() };
        let keeps_memory = standby.state == StandbyState::Hibernated;
        if keeps_memory && instance.gpus > 0 && !standby.what_if {
            let problem =
                "found `hibernated` for instances with GPUs, expected `stopped`".to_owned();
            let hint =
                "no cloud is known to hibernate them: `what-if = true` asks what it would be worth";
            return Err(self.document.error(&at("state"), problem, Some(hint.to_owned())));
        }
        if standby.nodes == 0 {
            return Err(self.misfit(&at("nodes"), "0", "at least 1"));
        }
        let default = standby.state.resume();
        let resume = standby.resume.get_or_insert_with(|| DelaySetting::named(default));
        Ok(StandbySpec {
            nodes: standby.nodes,
            resume: self.delay(&at("resume"), resume, Some(Stage::Resume), None)?,
            prepare: self.delay(&at("prepare"), &standby.prepare, Some(Stage::Prepare), None)?,
            holding: standby.holding,
            keeps_memory,
        })
    }

    fn zones(&self, name: &str, pool: &Pool) -> Result<Vec<ZoneSpec>, ScenarioError> {
        if pool.zones.is_empty() {
            return Err(self.misfit(&key(["pool", name, "zones"]), "[]", "one zone or more"));
        }
        if let Some(stray) = pool.stock.keys().find(|zone| !pool.zones.contains(zone)) {
            let known = pool.zones.iter().map(String::as_str);
            return Err(self.unknown(&key(["pool", name, "stock", stray]), "zone", stray, known));
        }
        let zone = |zone: &String| ZoneSpec {
            name: zone.as_str().into(),
            stock: pool.stock.get(zone).copied(),
        };
        Ok(pool.zones.iter().map(zone).collect())
    }

    fn stages(
        &self,
        name: &str,
        pool: &mut Pool,
        platform: &Platform,
    ) -> Result<NodeStages, ScenarioError> {
        let stage = |part: &str, own: &mut Option<DelaySetting>, default: &str, stage: Stage| {
            let setting = own.get_or_insert_with(|| DelaySetting::named(default));
            self.delay(&key(["pool", name, part]), setting, Some(stage), None)
        };
        let launch = stage("launch", &mut pool.launch, &platform.launch, Stage::Launch)?;
        let boot = stage("boot", &mut pool.boot, &platform.boot, Stage::Boot)?;
        let register = stage("register", &mut pool.register, &platform.register, Stage::Register)?;
        let accelerator =
            stage("accelerator", &mut pool.accelerator, &platform.accelerator, Stage::Accelerator)?;
        let terminate =
            stage("terminate", &mut pool.terminate, &platform.terminate, Stage::Terminate)?;
        Ok(NodeStages { launch, boot, register, accelerator, terminate })
    }
}

fn shape(name: &str, pool: &Pool, instance: &Instance, sharing: Sharing) -> NodeShape {
    let mut own = instance_labels(&pool.instance, instance, pool.spot.is_some());
    own.extend(pool.labels.clone());
    NodeShape {
        allocatable: instance.allocatable(),
        gpu: instance.gpu_model(),
        sharing,
        labels: node_labels(&pool.instance, instance.arch.label(), name, &own),
        taints: pool.taints.clone(),
        pod_limit: POD_LIMIT,
        daemons: Daemons::default(),
    }
}
