import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { SafeCloseOptions } from './safe-close.options.js';
import { SAFE_CLOSE_OPTIONS } from './safe-close.tokens.js';

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<Omit<SafeCloseOptions, 'isGlobal'>>({
    optionsInjectionToken: SAFE_CLOSE_OPTIONS,
  })
    .setClassMethodName('forRoot')
    .setExtras<Pick<SafeCloseOptions, 'isGlobal'>>({ isGlobal: true }, (definition, extras) => ({
      ...definition,
      global: extras.isGlobal ?? true,
    }))
    .build();
