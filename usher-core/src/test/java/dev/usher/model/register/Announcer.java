package dev.usher.model.register;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** The node that bans the user. */
final class Announcer {

    /** How far the ban has come. */
    enum Step {
        NOT_BEGUN,
        FENCED,
        NUMBERED,
        UNCONFIRMED,
        CONFIRMED
    }

    Step step = Step.NOT_BEGUN;

    /** The register that it knows, and the age of that knowledge. */
    int register = 1;

    int known = Time.CLOSED;

    /** The register in which the ban has its number, the number, and its age. */
    int numberedIn;

    int number;
    int numbered;

    Announcer() {}

    Announcer(Announcer other) {
        step = other.step;
        register = other.register;
        known = other.known;
        numberedIn = other.numberedIn;
        number = other.number;
        numbered = other.numbered;
    }

    /** Whether a name is that of the user. */
    boolean hasName(int register, int number) {
        return numberedIn == register && this.number == number && register != 0;
    }

    void becomeOlder() {
        known = Time.older(known);
        numbered = step == Step.NUMBERED ? Time.older(numbered) : 0;
    }

    void write(Packer to) {
        to.put(step);
        to.put(numberedIn, Register.MAX_REGISTERS);
        Register.putNumber(number, to);
        boolean isOver = step == Step.CONFIRMED;
        to.put(isOver ? 0 : register, Register.MAX_REGISTERS);
        to.put(isOver ? 0 : known, Time.CLOSED + 1);
        to.put(isOver ? 0 : numbered, Time.CLOSED + 1);
    }
}
