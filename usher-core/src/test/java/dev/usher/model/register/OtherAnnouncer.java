package dev.usher.model.register;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** A node that bans other users, and takes out the node that it has waited for. */
final class OtherAnnouncer {

    /** Whether it waits for the node. */
    boolean isWaiting;

    /** The register of its last ban, and the age of that. */
    int numberedIn;

    int numbered;

    /** Whether the node's entry has changed since. */
    boolean hasEntryChanged;

    OtherAnnouncer() {}

    OtherAnnouncer(OtherAnnouncer other) {
        isWaiting = other.isWaiting;
        numberedIn = other.numberedIn;
        numbered = other.numbered;
        hasEntryChanged = other.hasEntryChanged;
    }

    void becomeOlder() {
        numbered = isWaiting ? Time.older(numbered) : 0;
    }

    void write(Packer to) {
        to.put(isWaiting);
        to.put(isWaiting ? numberedIn : 0, Register.MAX_REGISTERS);
        to.put(isWaiting ? numbered : 0, Time.CLOSED + 1);
        to.put(isWaiting && hasEntryChanged);
    }
}
