"use client";
import { Monitor, Moon, Sun } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "@/components/ui/Button";
import { chooseTheme, chosenTheme, type Theme } from "@/lib/theme";

const NEXT: Record<Theme, Theme> = { system: "dark", dark: "light", light: "system" };
const ICONS = { system: Monitor, dark: Moon, light: Sun };

export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>("system");
  useEffect(() => setTheme(chosenTheme()), []);
  const Icon = ICONS[theme];
  return (
    <IconButton
      label={`Theme: ${theme}; change to ${NEXT[theme]}`}
      onClick={() => {
        chooseTheme(NEXT[theme]);
        setTheme(NEXT[theme]);
      }}
    >
      <Icon />
    </IconButton>
  );
}
