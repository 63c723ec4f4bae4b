package dev.usher.spring;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/** The 16 bytes of a UUID, in the order of its text. */
final class UuidBytes {

    static final int LENGTH = 16;

    /** This many UUIDs hardly agree in four bits by chance. */
    private static final int ENOUGH = 8;

    private UuidBytes() {}

    static byte[] of(UUID id) {
        return ByteBuffer.allocate(LENGTH)
                .putLong(id.getMostSignificantBits())
                .putLong(id.getLeastSignificantBits())
                .array();
    }

    static @Nullable UUID parse(byte @Nullable [] bytes) {
        if (bytes == null || bytes.length != LENGTH) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        return new UUID(buffer.getLong(), buffer.getLong());
    }

    /**
     * Whether UUIDs were written in another byte order than they are read, such as that of {@code UUID_TO_BIN(…, 1)} in MySQL
     * or that of a GUID in Windows. Their version is then in the wrong place.
     *
     * @param read the UUIDs as {@link #parse} has read them; too few of them prove nothing
     */
    static boolean areInAnotherOrder(List<UUID> read) {
        if (read.size() < ENOUGH || haveOne(read, UUID::version)) {
            return false;
        }
        Predicate<UUID> isOfTheStandard = id -> id.variant() == 2;
        return read.stream().allMatch(isOfTheStandard)
                && (haveOne(read, id -> (int) (id.getMostSignificantBits() >>> 60))
                        || haveOne(read, id -> (int) (id.getMostSignificantBits() >>> 4) & 0xF));
    }

    /** Whether all UUIDs have the same version at a place. */
    private static boolean haveOne(List<UUID> ids, ToIntFunction<UUID> place) {
        int first = place.applyAsInt(ids.get(0));
        return first >= 1 && first <= 8 && ids.stream().allMatch(id -> place.applyAsInt(id) == first);
    }
}
