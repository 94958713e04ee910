import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ChatModule } from './chat.module.js';

const port = Number(process.env['PORT'] ?? 3000);
const app = await NestFactory.create(ChatModule);
app.enableShutdownHooks();
await app.listen(port);
new Logger('Chat').log(
  `Open http://localhost:${port} in two tabs, and Ctrl-C to see them leave in order.`,
);
