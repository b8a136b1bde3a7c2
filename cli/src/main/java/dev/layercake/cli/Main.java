package dev.layercake.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;

/**
 * The door that the launcher script opens.
 *
 * <p>The JVM warns on standard error about every incubator module and offers no way to switch that off. So the script
 * starts it with standard error turned away, keeps the real one open under another number, and says which in a system
 * property; from here on {@code System.err} is the real one.
 */
final class Main {
    private Main() {}

    public static void main(String[] args) {
        Integer descriptor = Integer.getInteger("layercake.stderr.descriptor");
        if (descriptor != null) {
            System.setErr(new PrintStream(open(descriptor), true, UTF_8));
        }
        LayercakeCommand.main(args);
    }

    /** The stream on a descriptor that this process inherited, sharing its place in a file with whoever else writes. */
    private static FileOutputStream open(int descriptor) {
        try {
            var constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
            constructor.setAccessible(true);
            return new FileOutputStream(constructor.newInstance(descriptor));
        } catch (ReflectiveOperationException | RuntimeException unlikeThisJdk) {
            return reopen(descriptor);
        }
    }

    private static FileOutputStream reopen(int descriptor) {
        try {
            return new FileOutputStream("/dev/fd/" + descriptor, true);
        } catch (IOException noSuchDevice) {
            return new FileOutputStream(FileDescriptor.err);
        }
    }
}
