import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.ObjectInputStream;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

class Runner {
    private final Map<String, Function<String, String>> steps =
            Map.of("upper", String::toUpperCase, "trim", String::trim, "list", this::list);

    String list(String folder) {
        try {
            Process process = Runtime.getRuntime().exec(new String[] {"sh", "-c", "ls " + folder});
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream()))) {
                return lines.lines().collect(Collectors.joining(","));
            }
        } catch (IOException error) {
            return "";
        }
    }

    Object read(String text) throws IOException, ClassNotFoundException {
        byte[] bytes = Base64.getDecoder().decode(text);
        try (ObjectInputStream input = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
            return input.readObject();
        }
    }

    String run(List<String> names, String value) {
        String result = value;
        for (String name : names) {
            Function<String, String> step = steps.get(name);
            if (step == null) {
                continue;
            }
            result = step.apply(result);
        }
        return result;
    }

    int sum(int[] values) {
        int total = 0;
        outer:
        for (int at = 0; ; at++) {
            while (at < values.length) {
                total += values[at++] << 1;
                if (total > 1_000) {
                    break outer;
                }
            }
            break;
        }
        return total;
    }
}
