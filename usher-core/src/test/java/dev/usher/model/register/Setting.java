package dev.usher.model.register;

import java.util.EnumSet;
import java.util.Set;

/**
 * What is explored.
 *
 * @param rules those that are not taken out
 * @param chances what may happen; of the losses, one
 */
record Setting(Set<Rule> rules, Set<Chance> chances) {

    static Setting of(Chance... chances) {
        Set<Chance> all = EnumSet.noneOf(Chance.class);
        all.addAll(Set.of(chances));
        return new Setting(EnumSet.allOf(Rule.class), all);
    }

    Setting without(Rule... rules) {
        Set<Rule> left = EnumSet.copyOf(this.rules);
        left.removeAll(Set.of(rules));
        return new Setting(left, chances);
    }

    boolean has(Rule rule) {
        return rules.contains(rule);
    }

    boolean has(Chance chance) {
        return chances.contains(chance);
    }
}
