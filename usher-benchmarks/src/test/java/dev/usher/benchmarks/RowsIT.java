package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.benchmarks.Section.Table;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Each row can be measured and fills its tables. The figures of so small a run mean nothing. */
class RowsIT {

    @Tag("thorough")
    @ParameterizedTest
    @EnumSource
    void everyRowIsFilled(Row row) throws Exception {
        Section section = row.measurement().measure(Plan.smoke());

        assertThat(section.row()).isEqualTo(row);
        List<Table> tables = section.parts().stream()
                .filter(Table.class::isInstance)
                .map(Table.class::cast)
                .toList();
        assertThat(tables).isNotEmpty();
        // The section itself refuses a table without rows or with a blank cell.
        assertThat(tables)
                .allSatisfy(
                        table -> assertThat(table.toString()).contains("usher").doesNotContain("NaN", "Infinity"));
    }

    @Tag("thorough")
    @ParameterizedTest
    @EnumSource(names = {"NEAR_HITS", "SHARED_HITS", "MANY_USERS", "STAMPEDES"})
    void onAClusterEachOfTheseIsFilled(Row row) throws Exception {
        Section section =
                row.measurement().measure(Plan.smoke().on(Topology.CLUSTER)).on(Topology.CLUSTER);

        assertThat(section.title()).endsWith(", on a Cluster of three primaries");
        assertThat(section.parts()).anyMatch(Table.class::isInstance);
    }
}
