package dev.usher.server;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.text.DecimalFormat;
import java.text.MessageFormat;
import java.text.NumberFormat;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.Formatter;
import java.util.Locale;
import java.util.Scanner;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * No class of usher formats or parses text with the default locale of the JVM: some locales have other digits, or other rules
 * for upper and lower case. The compiler refuses most such calls (Error Prone's DefaultLocale), but not all. The modules above this one run
 * this test as well, on their own class path.
 */
@Tag("architecture")
class DefaultLocaleRuleTest {

    /** Calls without a locale, which use the default one. */
    private static final Pattern WITHOUT_LOCALE = Pattern.compile("(?:"
            + "java\\.lang\\.String\\.(?:format|formatted|toLowerCase|toUpperCase)"
            + "|java\\.io\\.(?:PrintStream|PrintWriter|Console)\\.(?:printf|format|readLine|readPassword)"
            + "|java\\.text\\.\\w+\\.get\\w*Instance"
            + "|java\\.text\\.(?:DecimalFormat|SimpleDateFormat|MessageFormat|\\w+Symbols)\\.<init>"
            + "|java\\.text\\.MessageFormat\\.format"
            + "|java\\.time\\.format\\.DateTimeFormatter\\.(?:ofPattern|ofLocalized\\w+)"
            + "|java\\.time\\.format\\.DateTimeFormatterBuilder\\.toFormatter"
            + "|java\\.time\\.format\\.DecimalStyle\\.ofDefaultLocale"
            + "|java\\.util\\.(?:Formatter|Scanner)\\.<init>"
            + "|java\\.util\\.Calendar\\.getInstance"
            + "|java\\.util\\.ResourceBundle\\.getBundle"
            + "|java\\.util\\.Locale\\.getDefault"
            + ")\\((?!.*java\\.util\\.Locale)(?!.*Symbols).*\\)");

    private static final ArchRule RULE = noClasses()
            .should()
            .accessTargetWhere(
                    DescribedPredicate.describe("the default locale decides", DefaultLocaleRuleTest::isWithoutLocale))
            .because("in some locales digits are not 0 to 9, and the small letter of I has no dot: name Locale.ROOT");

    @Test
    void nothingIsFormattedWithTheDefaultLocale() {
        JavaClasses usher = new ClassFileImporter()
                .withImportOption(location -> !location.contains("/test-classes/"))
                .importPackages("dev.usher");

        assertThat(usher.stream().map(JavaClass::getPackageName).distinct())
                .as("the modules under test")
                .contains(
                        "dev.usher",
                        "dev.usher.spring",
                        "dev.usher.server",
                        "dev.usher.testkit",
                        System.getProperty("usher.package", "dev.usher.server"));
        RULE.check(usher);
    }

    @Test
    void theRuleFindsEachKindAndNothingThatNamesALocale() {
        JavaClass offences = new ClassFileImporter().importClass(Offences.class);

        assertThat(offences.getMethods())
                .hasSizeGreaterThan(10)
                .allSatisfy(method -> assertThat(
                                method.getAccessesFromSelf().stream().filter(DefaultLocaleRuleTest::isWithoutLocale))
                        .as(method.getName())
                        .isNotEmpty());
        RULE.check(new ClassFileImporter().importClasses(Harmless.class));
    }

    private static boolean isWithoutLocale(JavaAccess<?> access) {
        return WITHOUT_LOCALE.matcher(access.getTarget().getFullName()).matches();
    }

    @SuppressWarnings({"DefaultLocale", "StringCaseLocaleUsage", "resource", "unused"})
    private static final class Offences {

        String format() {
            return String.format("%d", 1);
        }

        String formatted() {
            return "%d".formatted(1);
        }

        String lowerCase() {
            return "I".toLowerCase();
        }

        String upperCase() {
            return "i".toUpperCase();
        }

        void printed() {
            System.out.printf("%d%n", 1);
        }

        String number() {
            return NumberFormat.getIntegerInstance().format(1);
        }

        String decimal() {
            return new DecimalFormat("#").format(1);
        }

        DateTimeFormatter pattern() {
            return DateTimeFormatter.ofPattern("uuuu");
        }

        DateTimeFormatter localized() {
            return DateTimeFormatter.ofLocalizedDate(FormatStyle.SHORT);
        }

        Formatter formatter() {
            return new Formatter();
        }

        int scanned() {
            return new Scanner("1").nextInt();
        }

        String message() {
            return MessageFormat.format("{0}", 1);
        }

        Locale locale() {
            return Locale.getDefault();
        }
    }

    @SuppressWarnings("unused")
    private static final class Harmless {

        String all() {
            System.out.printf(Locale.ROOT, "%d%n", 1);
            return String.format(Locale.ROOT, "%d", 1)
                    + "I".toLowerCase(Locale.ROOT)
                    + NumberFormat.getIntegerInstance(Locale.ROOT).format(1)
                    + DateTimeFormatter.ofPattern("uuuu", Locale.ROOT)
                    + DateTimeFormatter.ISO_INSTANT;
        }
    }
}
