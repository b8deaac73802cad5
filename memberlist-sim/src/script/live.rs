//! Commands about the life of nodes: crashes, restarts, moves, leaves and faults.

use std::net::IpAddr;

use super::command::{PATIENCE, Stage};
use super::{Problem, values};
use crate::seat::{Fault, NodeId};

impl Stage {
    /// Restarts crashed nodes at their addresses. With options, nodes that run are stopped first,
    /// and the changes of their configuration are permanent.
    pub(super) fn restart(&mut self, rest: &[&str]) -> Result<(), Problem> {
        let (names, options) = values::with_options(rest);
        for id in self.ids(names)? {
            if !options.is_empty() {
                let config = values::changed(self.sim_ref().config(id).clone(), options)?;
                self.sim().crash(id);
                self.sim().configure(id, config);
            }
            let ip = self.sim_ref().address(id).ip();
            self.may_start(id, ip)?;
            self.sim().restart(id, false);
        }
        Ok(())
    }

    /// Makes one node crash, leave or recover from its fault.
    pub(super) fn live(&mut self, command: &str, id: NodeId) -> Result<(), Problem> {
        self.running(id)?;
        match command {
            "crash" => self.sim().crash(id),
            "resume" => self.sim().set_fault(id, None),
            _ => return self.operate(id, |node, now| Ok(node.leave(now, PATIENCE))),
        }
        Ok(())
    }

    /// Restarts crashed nodes at other addresses.
    pub(super) fn relocate(&mut self, rest: &[&str]) -> Result<(), Problem> {
        if let [name, "to-address-of", other] = rest {
            let (id, ip) = (self.id(name)?, self.free_address(other)?);
            self.may_start(id, ip)?;
            self.sim().restart_at(id, ip);
            return Ok(());
        }
        for id in self.ids(rest)? {
            if self.sim_ref().runs(id) {
                return Err(Problem::Runs(self.name(id)));
            }
            self.sim().restart(id, true);
        }
        Ok(())
    }

    /// Gives nodes a fault, until they `resume`.
    pub(super) fn harm(&mut self, command: &str, rest: &[&str]) -> Result<(), Problem> {
        let (fault, names) = match (command, rest) {
            ("freeze", names) => (Fault::Frozen, names),
            ("hold", names) => (Fault::Held, names),
            ("unplug", names) => (Fault::Unplugged, names),
            ("deafen", names) => (Fault::Deaf, names),
            ("mute", names) => (Fault::Mute, names),
            (_, [names @ .., "by", mean]) => (Fault::Slow { mean: values::time(mean)? }, names),
            _ => return Err(Problem::Usage("slow NAMES by TIME")),
        };
        for id in self.ids(names)? {
            self.running(id)?;
            self.sim().set_fault(id, Some(fault));
        }
        Ok(())
    }

    /// Splits two groups of nodes and reconnects them, by turns.
    pub(super) fn flap(&mut self, rest: &[&str]) -> Result<(), Problem> {
        let [halves @ .., "every", every, "for", time] = rest else {
            return Err(Problem::Usage("flap NAMES from NAMES every TIME for TIME"));
        };
        let (one, other) = self.halves(halves)?;
        let (every, time) = (values::time(every)?, values::time(time)?);
        if every.is_zero() {
            return Err(values::value("every", "0"));
        }
        let end = self.sim().now() + time;
        let mut split = false;
        while self.sim().now() < end {
            split = !split;
            if split {
                self.sim().network().partition(&one, &other);
            } else {
                self.sim().network().reconnect(&one, &other);
            }
            let rest = end.saturating_duration_since(self.sim().now());
            self.sim().run_for(every.min(rest));
        }
        self.sim().network().reconnect(&one, &other);
        Ok(())
    }

    /// The address of a node, if no node runs at it.
    pub(super) fn free_address(&self, name: &str) -> Result<IpAddr, Problem> {
        let id = self.id(name)?;
        let ip = self.sim_ref().address(id).ip();
        match self.sim_ref().in_the_way(id, ip) {
            Some(by) => Err(Problem::Taken { of: name.to_owned(), by: self.name(by) }),
            None => Ok(ip),
        }
    }

    fn may_start(&self, id: NodeId, ip: IpAddr) -> Result<(), Problem> {
        if self.sim_ref().runs(id) {
            return Err(Problem::Runs(self.name(id)));
        }
        match self.sim_ref().in_the_way(id, ip) {
            Some(by) => Err(Problem::Taken { of: self.name(id), by: self.name(by) }),
            None => Ok(()),
        }
    }

    fn name(&self, id: NodeId) -> String {
        self.script_name(id).to_owned()
    }
}
