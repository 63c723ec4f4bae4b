package dev.usher.model.reads;

import java.util.EnumSet;
import java.util.Set;

/**
 * What is explored.
 *
 * @param rules those that are not taken out
 * @param hasFailover whether the primary may be replaced
 */
record Setting(Set<Rule> rules, boolean hasFailover) {

    static Setting of(boolean hasFailover) {
        return new Setting(EnumSet.allOf(Rule.class), hasFailover);
    }

    Setting without(Rule... rules) {
        Set<Rule> left = EnumSet.copyOf(this.rules);
        left.removeAll(Set.of(rules));
        return new Setting(left, hasFailover);
    }

    boolean has(Rule rule) {
        return rules.contains(rule);
    }
}
