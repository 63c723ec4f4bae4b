package dev.usher.model.reads;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** A node that reads and loads. */
final class Node {

    static final int NOT_CONNECTED = 2;

    /** The server that both its connections lead to. */
    int server = NOT_CONNECTED;

    boolean isTracked;
    int watermark = Time.CLOSED;

    /** Whether Redis will tell of a change of the value. */
    boolean isValueTracked;

    Push push = Push.NONE;

    /** Whether memory holds that the user is enabled. */
    boolean isInMemory;

    boolean hasSeenTheNumber;
    int quarantine;

    /** That the value has changed, on its way. */
    enum Push {
        NONE,
        BEFORE_THE_READ,
        AFTER_THE_READ
    }

    Node() {}

    Node(Node other) {
        server = other.server;
        isTracked = other.isTracked;
        watermark = other.watermark;
        isValueTracked = other.isValueTracked;
        push = other.push;
        isInMemory = other.isInMemory;
        hasSeenTheNumber = other.hasSeenTheNumber;
        quarantine = other.quarantine;
    }

    boolean isConnected() {
        return server != NOT_CONNECTED;
    }

    boolean answersFromMemory() {
        return isInMemory && isTracked && watermark <= Time.BOUND;
    }

    void becomeOlder() {
        watermark = Time.older(watermark);
        quarantine = Time.less(quarantine);
    }

    void write(Packer to) {
        to.put(server, NOT_CONNECTED + 1);
        to.put(isTracked);
        to.put(watermark, Time.CLOSED + 1);
        to.put(isValueTracked);
        to.put(push);
        to.put(isInMemory);
        to.put(hasSeenTheNumber);
        to.put(quarantine, Time.QUARANTINE + 1);
    }
}
