package dev.usher.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads how many users the demo is to have. */
final class UserCount implements ITypeConverter<Integer> {

    static final int MAX = 100_000;

    @Override
    public Integer convert(String value) {
        try {
            int count = Integer.parseInt(value);
            if (count >= 1 && count <= MAX) {
                return count;
            }
        } catch (NumberFormatException e) {
            // Reported below.
        }
        throw new TypeConversionException("must be a number from 1 to " + MAX + ", but is '" + value + "'");
    }
}
