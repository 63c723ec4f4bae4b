package dev.usher.model.register;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** A node that bans other users, and takes out the node that it has waited for, or that has been silent for long. */
final class OtherAnnouncer {

    /** The age at which a node is taken out that no ban waits for. */
    static final int LONG_AGO = Time.BOUND + Heartbeats.COUNTED_WITHOUT_ENTRY + 1;

    /** Whether it waits for the node. */
    boolean isWaiting;

    /** Whether no ban does. */
    boolean isSweep;

    /** The register of its last ban, or of its last look at how often entries have changed, and the age of that. */
    int numberedIn;

    int numbered;

    /** Whether the node's entry has changed since. */
    boolean hasEntryChanged;

    OtherAnnouncer() {}

    OtherAnnouncer(OtherAnnouncer other) {
        isWaiting = other.isWaiting;
        isSweep = other.isSweep;
        numberedIn = other.numberedIn;
        numbered = other.numbered;
        hasEntryChanged = other.hasEntryChanged;
    }

    void becomeOlder() {
        numbered = isWaiting ? Math.min(numbered + 1, LONG_AGO) : 0;
    }

    /** Waits for a change of the entry. */
    void await(int register, boolean isSweep) {
        this.isWaiting = true;
        this.isSweep = isSweep;
        this.numberedIn = register;
        this.numbered = 0;
        this.hasEntryChanged = false;
    }

    boolean hasWaited() {
        return numbered >= (isSweep ? LONG_AGO : Time.CLOSED);
    }

    void write(Packer to) {
        to.put(isWaiting);
        to.put(isWaiting ? numberedIn : 0, Register.MAX_REGISTERS);
        to.put(isWaiting && isSweep);
        to.put(isWaiting ? numbered : 0, LONG_AGO + 1);
        to.put(isWaiting && hasEntryChanged);
    }
}
